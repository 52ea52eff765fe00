"""Two builds of the same layer: what is equal, and each byte range that is not, with its reason."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import Built, Workspace

pytestmark = [pytest.mark.real, pytest.mark.matrix]

MIB = 1 << 20
BLOCK = 4096
# Time stamps: none of the kernel's file systems takes them from outside.
REASONS = {
    "EFI-SYSTEM": "FAT: times of creation and change of the directory entries",
    "boot": "ext4: times and generation numbers of inodes, the superblock's times, the journal",
    "root": "XFS: times and generation numbers of inodes, the log, and where the allocator put data",
}


@pytest.fixture(scope="module")
def again(built: Built, tmp_path_factory: pytest.TempPathFactory, layer: Path) -> Built:
    """The same layer built once more, from the same import but with another base disk."""
    root = tmp_path_factory.mktemp("again")
    subprocess.run(["cp", "-al", built.workspace.cache, root / "cache"], check=True)
    shutil.rmtree(root / "cache" / "bases")
    other = Workspace(root / "cache", root / "builds")
    return Built(other, json.loads(other.bootimg("build", layer, "-p", "qemu", "--json").stdout))


def spans(disk: Path) -> dict[str, tuple[int, int]]:
    done = subprocess.run(["sfdisk", "--json", disk], check=True, capture_output=True)
    parts = json.loads(done.stdout)["partitiontable"]["partitions"]
    return {each["name"]: (each["start"] * 512, each["size"] * 512) for each in parts}


def differing(left: Path, right: Path) -> list[tuple[int, int]]:
    """Ranges (offset, length) of 4 KiB blocks that differ."""
    ranges: list[tuple[int, int]] = []
    with left.open("rb") as a, right.open("rb") as b:
        for offset in range(0, left.stat().st_size, MIB):
            one, other = a.read(MIB), b.read(MIB)
            if one == other:
                continue
            for at in range(0, len(one), BLOCK):
                if one[at : at + BLOCK] == other[at : at + BLOCK]:
                    continue
                if ranges and sum(ranges[-1]) == offset + at:
                    ranges[-1] = (ranges[-1][0], ranges[-1][1] + BLOCK)
                else:
                    ranges.append((offset + at, BLOCK))
    return ranges


def test_the_commit_the_table_and_the_boot_code_are_the_same(built: Built, again: Built) -> None:
    assert again.meta["ostree-commit"] == built.meta["ostree-commit"]
    assert again.meta["images"]["ostree"] == built.meta["images"]["ostree"]
    first = spans(built.base)["EFI-SYSTEM"][0]
    with built.base.open("rb") as one, again.base.open("rb") as other:
        assert one.read(first) == other.read(first)


def test_only_file_systems_differ_and_only_for_known_reasons(
    built: Built, again: Built, capsys: pytest.CaptureFixture[str]
) -> None:
    ranges = differing(built.base, again.base)
    table = spans(built.base)
    counted = dict.fromkeys(REASONS, (0, 0))
    for offset, length in ranges:
        name = next(n for n, (start, size) in table.items() if start <= offset < start + size)
        number, total = counted[name]
        counted[name] = (number + 1, total + length)
    with capsys.disabled():
        for name, (number, total) in counted.items():
            print(f"\n{name}: {number} ranges, {total // 1024} KiB differ ({REASONS[name]})", end="")
    assert counted["EFI-SYSTEM"][1] < MIB
    assert counted["boot"][1] < 8 * MIB
