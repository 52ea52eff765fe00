"""One table of the architectures: every row is whole, and no other module has facts of its own."""

import ast
import shutil
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.arches.table import ROWS
from bootimg.errors import BootimgError

SOURCE = Path(__file__).parents[2] / "bootimg"
MAY_BE_NONE = {"uefi", "obstacle"}
MAY_BE_EMPTY = {"tcg_machine_options", "cd"}
# Modules that name an architecture themselves, and why the table is not the place for it.
OWN_FACTS = {
    "arch.py": "the members themselves",
    "live/iso/bootrow.py": "the table of how the live ISO of each architecture is started",
    "checks/node.py": "the installer gives a live system of ppc64le more room",
    "checks/layouts.py": "checks compare the partitions with a list of their own",
    "targets.py": "a target says what it is made for, as a platform does",
    "browse/tree.py": "the release browser has x86_64 without a suffix",
    "streams/pipeline/config.py": "the pipeline builds x86_64 if nothing is configured",
    "orchestrator/targets/secex.py": "Secure Execution is a feature of s390x",
    "orchestrator/steps.py": "an example for the help, whose architecture does not matter",
}


def test_every_architecture_has_a_row() -> None:
    assert list(ROWS) == [arch.value for arch in Arch]
    assert {arch.row.names.rpm for arch in Arch} == set(Arch)


@pytest.mark.parametrize("arch", Arch)
def test_a_row_has_all_its_facts(arch: Arch) -> None:
    assert [*empty(arch.row)] == []
    assert (arch.row.uefi is not None) is (Firmware.UEFI in arch.row.firmwares)


def empty(row: object) -> list[str]:
    """The fields without a value that have to have one."""
    assert is_dataclass(row)
    found = []
    for field in fields(row):
        value = getattr(row, field.name)
        if is_dataclass(value):
            found += empty(value)
        elif value is None and field.name in MAY_BE_NONE:
            continue
        elif value in (None, "", ()) and field.name not in MAY_BE_EMPTY:
            found.append(field.name)
    return found


@pytest.mark.parametrize("arch", Arch)
def test_names_are_taken_as_rpm_and_the_oci_have_them(arch: Arch) -> None:
    assert Arch.parse(arch.value) is Arch.parse(arch.oci) is arch
    with pytest.raises(BootimgError, match="arch-unknown"):
        Arch.parse(f"{arch}0")


@pytest.mark.parametrize("arch", Arch)
def test_the_debian_names_are_dpkg_s(arch: Arch) -> None:
    if not shutil.which("dpkg-architecture"):
        pytest.skip("dpkg-dev is not installed")
    argv = ["dpkg-architecture", "-a", arch.row.names.debian, "-q", "DEB_HOST_GNU_CPU"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    # GNU calls ppc64le powerpc64le.
    assert done.stdout.strip().replace("powerpc", "ppc") == arch.value


def test_no_other_module_has_facts_about_an_architecture() -> None:
    found = {str(path.relative_to(SOURCE)): named(path) for path in SOURCE.rglob("*.py")}
    assert {name for name, arches in found.items() if arches} == set(OWN_FACTS)
    assert {name for name, arches in found.items() if len(arches) > 1} == {
        "arch.py", "checks/layouts.py", "live/iso/bootrow.py",
    }  # fmt: skip


def test_no_other_module_has_a_table_by_the_names_of_architectures() -> None:
    names = {getattr(row.names, field.name) for row in ROWS.values() for field in fields(row.names)}
    tables = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        and len(names & {key.value for key in node.keys if isinstance(key, ast.Constant)}) > 1
    }
    assert tables == set()


def named(path: Path) -> set[str]:
    """The members of Arch that a module names; in arch.py, those it defines."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Arch":
            found.add(node.attr)
        elif isinstance(node, ast.ClassDef) and node.name == "Arch":
            found |= {each.id for line in node.body if isinstance(line, ast.Assign) for each in line.targets
                      if isinstance(each, ast.Name)}  # fmt: skip
    return found & {arch.name for arch in Arch}


def test_the_table_is_light() -> None:
    """Platforms import it, and so does every command."""
    code = "import sys; import bootimg.arch; print([n for n in sys.modules if n.startswith('bootimg')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(done.stdout)) == {
        "bootimg", "bootimg.arch", "bootimg.arches", "bootimg.arches.row", "bootimg.arches.table",
        "bootimg.errors", "bootimg.hostpackages", "bootimg.printable",
    }  # fmt: skip
