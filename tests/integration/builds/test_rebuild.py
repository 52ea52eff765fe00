"""`bootimg verify --rebuild`: a build of a small layer, made again and compared."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.builds.provenance.writing import write_provenance
from bootimg.errors import ExitCode
from tests.integration.conftest import Workspace
from tests.support.layers.smalllayer import small_layer
from tests.unit.disk.test_native_base import require_native

Json = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A build with a raw disk, a qcow2 and a tar.gz."""
    require_native()
    root = tmp_path_factory.mktemp("rebuild")
    archive, workspace = small_layer(root / "layer"), Workspace(root / "cache", root / "builds")
    workspace.bootimg("build", archive, "-p", "metal,qemu,gcp", "--json")
    return workspace


@pytest.fixture
def build(made: Workspace, tmp_path: Path) -> Iterator[Path]:
    """The folder of a copy of it.  The cache keeps its disks as they are, and no scratch folder."""
    before = kept(made)
    subprocess.run(["cp", "-a", made.builds, tmp_path / "builds"], check=True)
    yield next((tmp_path / "builds").glob("[0-9]*")) / "x86_64"
    assert [*(made.cache / "tmp").iterdir()] == []
    assert kept(made) == before


def kept(made: Workspace) -> dict[Path, tuple[int, int]]:
    found = {path: path.stat() for path in made.cache.glob("bases/*/*")}
    return {path: (each.st_ino, each.st_mtime_ns) for path, each in found.items()}


def verify(made: Workspace, build: Path, code: int = 0) -> Json:
    done = made.bootimg("verify", build, "--rebuild", "--json", check=False)
    assert done.returncode == code, done.stderr.decode()
    document: Json = json.loads(done.stdout)
    return document


def rules(document: Json) -> list[tuple[str, str]]:
    return [(each["rule"], each["where"]) for each in document["findings"]]


def equal(document: Json) -> dict[str, tuple[str, bool]]:
    """What was compared of each artifact that was made again, and whether it is equal."""
    return {each["key"]: (each["compared"], each["equal"]) for each in document["rebuilt"]}


def image(build: Path, key: str) -> Path:
    return build / str(json.loads((build / "meta.json").read_bytes())["images"][key]["path"])


def edit(path: Path, change: Callable[[Json], object]) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def replace(build: Path, key: str, path: Path) -> None:
    """Have the build list a file as its artifact, as if it had been made so."""
    found = {
        "path": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size": path.stat().st_size,
    }
    edit(build / "meta.json", lambda meta: meta["images"][key].update(found))


def restate(build: Path) -> None:
    """Have the provenance name the files that the build lists now."""
    with open_build(build.parents[1], build.parent.name, Arch.X86_64) as folder:
        write_provenance(folder)


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def test_every_image_is_made_again_with_the_same_bytes(made: Workspace, build: Path) -> None:
    document = verify(made, build)
    assert (document["good"], document["findings"]) == (True, [])
    assert equal(document) == dict.fromkeys(("metal", "qemu", "gcp"), ("file", True))


def test_another_compressor_and_a_file_that_is_elsewhere(made: Workspace, build: Path) -> None:
    """gzip packs one byte more than ours; the qcow2 is gone, as a policy removes it."""
    metal = image(build, "metal")
    packed = metal.with_name(f"{metal.name}.gz")
    packed.write_bytes(gzip.compress(metal.read_bytes(), 1, mtime=0))
    plain = {"uncompressed-sha256": hashlib.sha256(metal.read_bytes()).hexdigest(),
             "uncompressed-size": metal.stat().st_size}  # fmt: skip
    metal.unlink()
    replace(build, "metal", packed)
    edit(build / "meta.json", lambda meta: meta["images"]["metal"].update(plain))
    image(build, "qemu").unlink()
    restate(build)
    document = verify(made, build, ExitCode.FAILED)
    assert rules(document) == [("artifact-gone", "artifact qemu")]
    assert equal(document) == {
        "metal": ("uncompressed content", True),
        "qemu": ("digest in meta.json", True),
        "gcp": ("file", True),
    }


def test_what_differs_is_located(made: Workspace, build: Path) -> None:
    """A byte on metal's root, one on the qcow2's /boot, one in the tar of gcp."""
    metal, qcow2, gcp = (image(build, key) for key in ("metal", "qemu", "gcp"))
    for path in (metal, qcow2):
        path.chmod(0o644)
    parts = json.loads(process.run(["sfdisk", "--json", metal]).stdout)["partitiontable"]["partitions"]
    start = {each["name"]: each["start"] * 512 for each in parts}
    flip(metal, start["root"] + 4097)
    process.run(["qemu-io", "-f", "qcow2", "-c", f"write -P 0x55 {start['boot'] + (300 << 20)} 512", qcow2])
    plain = bytearray(gzip.decompress(gcp.read_bytes()))
    plain[1000] ^= 1
    other = gcp.with_name(f"other-{gcp.name}")
    other.write_bytes(gzip.compress(plain, mtime=0))
    other.rename(gcp)
    for key, path in (("metal", metal), ("qemu", qcow2), ("gcp", gcp)):
        replace(build, key, path)
    restate(build)
    document = verify(made, build, ExitCode.FAILED)
    assert {each["rule"] for each in document["findings"]} == {"rebuild-differs"}
    said = {each["where"]: each["message"] for each in document["findings"]}
    assert said["artifact metal"].endswith("partition 4 (root), byte 4097 of it")
    assert said["artifact qemu"].endswith(f"partition 3 (boot), byte {300 << 20} of it")
    assert said["artifact gcp"].endswith("from byte 1000 on")
    assert not any(same for _, same in equal(document).values())


def test_without_a_record_or_after_another_way_nothing_is_claimed(made: Workspace, build: Path) -> None:
    def forget(record: Json) -> None:
        del record["made"]["metal"]
        record["made"]["qemu"]["deploy"] = "appliance"
        record["made"]["gcp"]["bootimg"] = "0.0.1"

    edit(build / "bootimg.json", forget)
    document = verify(made, build, ExitCode.FAILED)
    assert sorted(rules(document)) == [
        ("rebuild-impossible", "bootimg.json, made, metal"),
        ("rebuild-impossible", "bootimg.json, made, qemu"),
        ("rebuild-version", "bootimg.json, made, gcp"),
    ]
    assert [*equal(document)] == ["gcp"]


def test_an_image_from_metal_is_made_as_metal_was(made: Workspace, build: Path, tmp_path: Path) -> None:
    """Its base disk is gone from the cache: the image is made from metal, and again from a base disk."""
    root = tmp_path / "other"
    subprocess.run(["cp", "-a", made.cache, root], check=True)
    subprocess.run(["rm", "-r", root / "bases"], check=True)
    other = Workspace(root, build.parents[1])
    other.bootimg("build", "--from", build, "-p", "openstack", "--json")
    assert json.loads((build / "bootimg.json").read_bytes())["made"]["openstack"]["deploy"] == "metal"
    document = verify(other, build)
    assert equal(document)["openstack"] == ("file", True)


def test_a_damaged_archive_is_not_built_from(made: Workspace, build: Path) -> None:
    archive = image(build, "ostree")
    archive.chmod(0o644)
    with archive.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(b"damaged")
    document = verify(made, build, ExitCode.FAILED)
    assert ("rebuild-impossible", "artifact ostree") in rules(document)
    assert document["rebuilt"] == []


def test_only_a_build_can_be_made_again(made: Workspace, build: Path) -> None:
    done = made.bootimg("verify", image(build, "qemu"), "--rebuild", check=False)
    assert done.returncode == ExitCode.USAGE
    assert b"is not a build" in done.stderr


def test_an_interrupt_leaves_nothing(made: Workspace, build: Path) -> None:
    words: list[str | Path] = [sys.executable, "-m", "bootimg", "verify", build, "--rebuild"]
    words += ["--events", "ndjson"]
    env = os.environ | {"BOOTIMG_CACHE": str(made.cache)}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        for line in running.stderr:
            event = json.loads(line)
            if event.get("step") == "filesystems":
                running.send_signal(signal.SIGINT)
                break
        running.communicate()
    assert running.returncode == ExitCode.INTERRUPTED
