"""bootimg on a machine of another architecture, as far as user-mode emulation can show it.

What runs is Python and what it imports: the writers of file systems, partition tables and images, `plan`,
`inspect` and `build`.  The programs that they start (mkfs, debugfs, the worker that calls libostree) are this
machine's own.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.arch import Arch
from tests.integration.conftest import Workspace
from tests.support.arches import nativewriters
from tests.support.arches.foreignpython import ForeignPython, installed
from tests.support.arches.nativewriters import WITHOUT_ZLIB_NG
from tests.support.layers.smallindex import small_index
from tests.unit.disk.test_native_base import require_native

pytestmark = pytest.mark.matrix

AARCH64, X86_64 = Arch.AARCH64, Arch.X86_64


@pytest.fixture(scope="module")
def python() -> ForeignPython:
    found = ForeignPython(AARCH64)
    if reason := found.why_not():
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bootimg as that Python imports it."""
    return installed(tmp_path_factory.mktemp("installed"))


def test_the_writers_give_the_same_bytes(
    python: ForeignPython, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    nativewriters.main(tmp_path / "here")
    here = json.loads(capsys.readouterr().out)
    (tmp_path / "there").mkdir()
    there = json.loads(python.run(tree, "-m", "tests.support.arches.nativewriters", tmp_path / "there"))
    assert there["machine"] == AARCH64
    assert there["digests"] == here["digests"]


@pytest.mark.parametrize("arch", [Arch.PPC64LE, Arch.S390X])
def test_the_writers_of_file_systems_do_so_on_a_machine_that_has_no_wheels(
    arch: Arch, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of them stores numbers with the most significant byte first."""
    foreign = ForeignPython(arch)
    if reason := foreign.why_not():
        pytest.skip(reason)
    (tmp_path / "here").mkdir()
    nativewriters.main(tmp_path / "here", WITHOUT_ZLIB_NG)
    here = json.loads(capsys.readouterr().out)
    (tmp_path / "there").mkdir()
    words = ("-m", "tests.support.arches.nativewriters", tmp_path / "there", *WITHOUT_ZLIB_NG)
    there = json.loads(foreign.run(tree, *words))
    assert (there["machine"], there["order"]) == (arch, "big" if arch is Arch.S390X else "little")
    assert there["digests"] == here["digests"]


def test_plan_is_for_the_machine_that_runs_it(python: ForeignPython, tree: Path, tmp_path: Path) -> None:
    """Without --arch it is aarch64, and x86_64 is the foreign one: its disks are made there too."""
    words = ("--cache", tmp_path / "cache", "-o", tmp_path / "builds", "--accel", "tcg", "--json")
    layer = small_index(tmp_path / "layer")
    own = json.loads(python.run(tree, "-m", "bootimg", "plan", layer, "-p", "qemu", *words))
    assert own["layer"]["arch"] == AARCH64
    assert [each["name"].rpartition("-")[2] for each in own["artifacts"]][-1] == "qemu.aarch64.qcow2"
    both = json.loads(python.run(tree, "-m", "bootimg", "plan", layer, "--arch", "all", "-p", "qemu", *words))
    assert [each["arch"] for each in both["arches"]] == ["x86_64", "aarch64"]
    assert not any(each.get("error") for each in both["arches"])
    native = Workspace(tmp_path / "cache", tmp_path / "builds")
    here = json.loads(native.bootimg("plan", layer, "--arch", "all", "-p", "qemu", "--json").stdout)
    names = [[one["name"] for one in each["plan"]["artifacts"]] for each in here["arches"]]
    assert [[one["name"] for one in each["plan"]["artifacts"]] for each in both["arches"]] == names


def test_inspect_of_a_disk_says_the_same(python: ForeignPython, tree: Path, tmp_path: Path) -> None:
    disk = nativewriters.write_disk(tmp_path / "disk.raw")
    here = Workspace(tmp_path / "cache", tmp_path / "builds").bootimg("inspect", disk, "--json").stdout
    there = python.run(tree, "-m", "bootimg", "inspect", disk, "--cache", tmp_path / "cache", "--json")
    assert json.loads(there) == json.loads(here)


def test_inspect_of_a_layer_of_x86_64_says_the_same(
    python: ForeignPython, tree: Path, tmp_path: Path
) -> None:
    layer = small_index(tmp_path / "layer")
    words = ("inspect", layer, "--arch", "x86_64", "--json")
    here = Workspace(tmp_path / "here", tmp_path / "builds").bootimg(*words).stdout
    there = python.run(tree, "-m", "bootimg", *words, "--cache", tmp_path / "there")
    found = json.loads(there)
    assert found == json.loads(here)
    assert "x86_64" in str(found)


@pytest.mark.parametrize(("arch", "name"), [(AARCH64, "metal"), (X86_64, "metal"), (X86_64, "metal4k")])
def test_a_whole_disk_is_the_same(
    arch: Arch, name: str, python: ForeignPython, tree: Path, tmp_path: Path
) -> None:
    """aarch64 is foreign here and the machine's own there, x86_64 the other way round."""
    require_native()
    layer = small_index(tmp_path / "layer")
    here = Workspace(tmp_path / "here", tmp_path / "here-builds")
    words = ("build", layer, "--arch", arch.value, "-p", name, "--json")
    made = {"here": json.loads(here.bootimg(*words).stdout)}
    own = ("--cache", tmp_path / "there", "-o", tmp_path / "there-builds", "--accel", "tcg")
    made["there"] = json.loads(python.run(tree, "-m", "bootimg", *words, *own))
    digests = {
        where: {each["key"]: each["sha256"] for each in found["artifacts"]} for where, found in made.items()
    }
    assert digests["there"] == digests["here"]
    assert set(digests["here"]) == {"ostree", name}
    disk = next(each["path"] for each in made["there"]["artifacts"] if each["key"] == name)
    shown = python.run(tree, "-m", "bootimg", "inspect", disk, "--cache", tmp_path / "there", "--json")
    assert json.loads(shown) == json.loads(here.bootimg("inspect", disk, "--json").stdout)
