"""The digest of a base disk's seal: of what the disk contains, not of how the file keeps it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootimg.orchestrator.basedisk import seal_digest

KIB = 1 << 10
SIZE = 1000 * KIB + 7


def disk(path: Path, *pieces: tuple[int, bytes], hole: bool = True) -> Path:
    with path.open("wb") as handle:
        if hole:
            handle.truncate(SIZE)
        else:
            handle.write(bytes(SIZE))
        for offset, data in pieces:
            handle.seek(offset)
            handle.write(data)
    return path


PIECES = ((3, b"a" * 5000), (64 * KIB - 1, b"bb"), (300 * KIB, os.urandom(200 * KIB)), (SIZE - 1, b"z"))


def test_holes_do_not_count(tmp_path: Path) -> None:
    digest = seal_digest(disk(tmp_path / "sparse", *PIECES))
    assert seal_digest(disk(tmp_path / "full", *PIECES, hole=False)) == digest
    allocated = disk(tmp_path / "allocated", *PIECES)
    with allocated.open("rb+") as handle:
        os.posix_fallocate(handle.fileno(), 0, SIZE)
        handle.seek(200 * KIB)
        handle.write(bytes(50 * KIB))
    assert seal_digest(allocated) == digest
    os.sync()
    assert seal_digest(allocated) == digest


@pytest.mark.parametrize("number", range(len(PIECES)))
def test_every_byte_and_its_place_count(tmp_path: Path, number: int) -> None:
    digest = seal_digest(disk(tmp_path / "one", *PIECES))
    offset, data = PIECES[number]
    for changed in ((offset, bytes([data[0] ^ 1])), (offset + len(data) - 1, bytes([data[-1] ^ 1]))):
        assert seal_digest(disk(tmp_path / "other", *PIECES, changed)) != digest
    others = [piece for piece in PIECES if piece != PIECES[number]]
    assert seal_digest(disk(tmp_path / "other", *others)) != digest
    if offset != SIZE - 1:
        moved = (offset + 128 * KIB, data)
        assert seal_digest(disk(tmp_path / "other", *others, moved)) != digest


def test_an_empty_disk_has_one_too(tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    assert seal_digest(tmp_path / "none") == seal_digest(disk(tmp_path / "zeros", hole=False))
