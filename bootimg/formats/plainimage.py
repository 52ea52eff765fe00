"""Uncompresses an image to a temporary file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bootimg.atomic import enough_space, require_space, scratch_folder
from bootimg.cache import Cache
from bootimg.disk.extents import is_zero
from bootimg.events import Events
from bootimg.formats.compression.decompress import PlainReader, is_compressed
from bootimg.formats.compression.unpack import pieces
from bootimg.untrusted.budget import Budget
from bootimg.vm.diskimage import refuse_references
from bootimg.vm.image import unreadable

# Data that compresses better than this is mostly zeros, which become holes.
_EXPANSION = 4


def is_packed(disk: Path) -> bool:
    """Whether an image is a .gz, .xz or .zst; `image-unreadable` if it cannot be read."""
    try:
        return is_compressed(disk)
    except OSError as error:
        raise unreadable(disk, error) from None


@contextmanager
def plain_image(
    disk: Path, cache: Cache, events: Events, budget: Budget, size: int | None = None
) -> Iterator[Path]:
    """The image itself, or its uncompressed content as a sparse file in the cache while the body runs.

    `size` is the uncompressed size in bytes, if known.  Errors: `image-unreadable`, `no-space-left` (if
    possible before it starts), `compressed-file-damaged`, `image-over-budget`.
    """
    if not is_packed(disk):
        yield disk
        return
    packed = disk.stat().st_size
    budget.pack(packed, str(disk))
    need = min(size or packed * _EXPANSION, packed * _EXPANSION)
    with scratch_folder(cache.folder("tmp"), "run-") as folder:
        require_space(folder, need)
        with events.step("uncompress", f"uncompressing {disk.name}", total=packed) as step:
            plain = folder / (disk.stem or "disk")
            with enough_space(folder, need), plain.open("xb") as file:
                _unpack(disk, file, budget)
            step.advance(packed)
        refuse_references(plain)
        yield plain


def _unpack(disk: Path, file: BinaryIO, budget: Budget) -> None:
    """Write the uncompressed content; no digest of it is known, so it is not hashed."""
    with PlainReader(disk, digests=False) as reader:
        for data, hole in _parts(reader):
            if hole:
                budget.hole(len(data), str(disk))
                file.seek(len(data), os.SEEK_CUR)
            else:
                budget.unpack(len(data), str(disk))
                file.write(data)
    file.truncate(file.tell())


def _parts(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The bytes, and whether they are zeros alone."""
    for chunk in chunks:
        # Zeros come in large chunks, in which there is no need to look at smaller pieces.
        if is_zero(chunk):
            yield chunk, True
        else:
            yield from ((piece, is_zero(piece)) for piece in pieces([chunk]))
