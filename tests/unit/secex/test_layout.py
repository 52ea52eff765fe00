"""The disk for Secure Execution: its table, and reading it from pieces."""

from __future__ import annotations

from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from bootimg.arch import Arch
from bootimg.checks.layouts import LAYOUTS, TAIL
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Gpt, Partition
from bootimg.secex.layout import ROOT_HASH, Assembled, Piece, secure_table
from bootimg.secex.verity import tree_size
from bootimg.sizes import GIB, MIB

ROOT_TYPE = UUID("5eead9a9-fe09-4a1e-a1d7-520d00531306")


def base(root: int) -> Gpt:
    """A base disk's table; `root` in bytes."""
    boot = Partition(3, "boot", UUID(int=3), UUID(int=33), 2048, 384 * MIB // 512)
    last = Partition(4, "root", ROOT_TYPE, UUID(int=44), boot.last + 1, root // 512)
    return Gpt(UUID(int=1), last.last + 2049, (boot, last))


def test_the_table_is_the_one_that_is_checked() -> None:
    table = secure_table(base(2 * GIB), "sha256:0")
    expected = next(each for each in LAYOUTS if each.arch is Arch.S390X and len(each.places) == 5)
    for place, made in zip(expected.places, table.partitions, strict=True):
        assert (made.number, made.name, str(made.type_guid)) == (place.number, place.name, place.type_guid)
        assert place.size in (None, made.sectors * 512)
    sizes = [made.sectors * 512 // MIB for made in table.partitions]
    assert sizes == [200, 384, 2048, 128, 256]
    assert [each.start * 512 // MIB for each in table.partitions] == [1, 201, 585, 2633, 2761]
    assert table.size == (2761 + 256) * MIB + TAIL
    assert secure_table(base(2 * GIB), "sha256:1").partition(3).guid != table.partition(3).guid


def test_the_hashes_of_a_large_root_have_room() -> None:
    table = secure_table(base(6 * GIB), "sha256:0")
    assert table.span(ROOT_HASH)[1] == tree_size(6 * GIB) > 256 * MIB


def test_pieces_are_read_as_one_disk(tmp_path: Path) -> None:
    random = Random(5)
    first, second = tmp_path / "first", tmp_path / "second"
    with first.open("wb") as file:
        file.write(random.randbytes(5000))
        file.truncate(3 * MIB)
        file.seek(2 * MIB)
        file.write(random.randbytes(9000))
    second.write_bytes(random.randbytes(20000))
    with FileSource(first) as one, FileSource(second) as two:
        pieces = [Piece(40960, two, 100, 8000), Piece(MIB, one, 1000, 2 * MIB)]
        disk = Assembled(pieces, 4 * MIB)
        expected = bytearray(4 * MIB)
        expected[40960:48960] = second.read_bytes()[100:8100]
        expected[MIB : 3 * MIB] = first.read_bytes()[1000 : 1000 + 2 * MIB]
        for _ in range(200):
            offset = random.randrange(disk.size)
            length = random.randrange(disk.size - offset)
            assert disk.read(offset, length) == expected[offset : offset + length]
        position, seen = 0, bytearray(4 * MIB)
        for extent in disk.extents():
            assert extent.offset == position
            position = extent.end
            if extent.data:
                seen[extent.offset : extent.end] = disk.read(extent.offset, extent.length)
        assert (position, seen) == (disk.size, expected)
        with pytest.raises(EOFError):
            disk.read(disk.size - 1, 2)


def test_pieces_may_not_overlap(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(2000))
    with FileSource(path) as source:
        for pieces in ([Piece(0, source, 0, 1000), Piece(999, source, 0, 1)], [Piece(4000, source, 0, 97)]):
            with pytest.raises(ValueError, match="overlap"):
                Assembled(pieces, 4096)
