"""A whole disk with a boot and a root file system, of which bytes are changed that are not zero."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from bootimg.api.looking import inspect
from bootimg.disk.extents import FileSource, copy_sparse, data_chunks
from bootimg.sizes import KIB
from tests.fuzz.target import Target, refusals
from tests.fuzz.targets.boot import ext4_partition
from tests.support.metaldisk import metal_disk, repository

_EDIT = struct.Struct(">IB")
_MOST = 24


@cache
def _disk() -> tuple[Path, bytes]:
    """The disk, and the offsets of all its data, eight bytes each."""
    path = Path(mkdtemp(prefix="whole-disk-")) / "disk"
    metal_disk(path, repository(f"content {each}".encode() * 9 for each in range(20)), {0: ext4_partition()})
    with FileSource(path) as source:
        data = list(data_chunks(source, 0, source.size, 4 * KIB))
        found = [
            at + index for at, length in data for index, byte in enumerate(source.read(at, length)) if byte
        ]
    return path, struct.pack(f">{len(found)}Q", *found)


def _seeds() -> Iterator[bytes]:
    """Edits: an index among the bytes that are not zero, and a value."""
    yield _EDIT.pack(0, 1)


def _mutate(data: bytes, longest: int, seed: int, plain: Callable[[bytes, int], bytes]) -> bytes:
    random = Random(seed)
    count = len(_disk()[1]) // 8
    return b"".join(
        _EDIT.pack(random.randrange(count), random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256))))
        for _ in range(random.choice((1, 2, 4, 8, _MOST)))
    )


def _run(data: bytes, folder: Path) -> None:
    original, offsets = _disk()
    path, cache_folder = folder / "disk", folder / "cache"
    with FileSource(original) as source:
        copy_sparse(source, path)
    with path.open("r+b") as file:
        for index, value in _EDIT.iter_unpack(data):
            file.seek(struct.unpack_from(">Q", offsets, index * 8)[0])
            file.write(bytes([value]))
    with refusals():
        inspect(path, arch="x86_64", cache=cache_folder)
    left = [each.name for each in (cache_folder / "tmp").iterdir()] if (cache_folder / "tmp").exists() else []
    assert not left, f"left behind: {left}"
    path.unlink()


WHOLE_DISK = Target(
    name="whole-disk", run=_run, seeds=_seeds, words=(), mutate=_mutate, runs=20, longest=_MOST * _EDIT.size
)
