"""Changed disks: where the metadata is, and checksums that are right again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt, write_gpt
from bootimg.errors import BootimgError
from bootimg.process import find
from bootimg.sizes import MIB
from tests.hostile.diskareas import (
    GPT_LENGTH,
    areas_of_xfs,
    record_at,
    with_checksum,
    with_gpt_checksums,
)
from tests.support.xfs.xfsimages import empty_image
from tests.unit.disk.test_gpt import coreos


def test_a_changed_table_is_read_when_its_checksums_are_right_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    write_gpt(disk, coreos())
    start = bytearray(disk.read_bytes()[:GPT_LENGTH])
    start[start.index("root".encode("utf-16-le"))] = ord("b")
    with disk.open("r+b") as file, FileSource(disk) as source:
        file.write(start)
        file.flush()
        with pytest.raises(BootimgError, match="checksum is wrong"):
            read_gpt(source, backup=False)
        with_gpt_checksums(start)
        file.seek(0)
        file.write(start)
        file.flush()
        assert "boot" in [each.name for each in read_gpt(source, backup=False).partitions]
        assert "root" not in [each.name for each in read_gpt(source, backup=False).partitions]


@pytest.mark.skipif(not find("mkfs.xfs"), reason="mkfs.xfs is not installed")
def test_every_structure_of_a_new_xfs_is_known_with_its_checksum(tmp_path: Path) -> None:
    with FileSource(empty_image(tmp_path / "xfs")) as source:
        data = source.read(0, 2 * MIB)
    kinds = {kind for kind, _ in areas_of_xfs([(0, data)])}
    wanted = {
        "superblocks",
        "free space",
        "inode groups",
        "free lists",
        "inodes",
        "space trees",
        "inode trees",
    }
    assert kinds >= {f"XFS {each}" for each in wanted}
    for start in {found[0] for at in range(0, len(data), 512) if (found := record_at(data, at))}:
        found = record_at(data, start)
        assert found
        sealed = bytearray(data[start : start + found[1].size])
        with_checksum(sealed, found[1])
        assert sealed == data[start : start + len(sealed)], found[1].kind
