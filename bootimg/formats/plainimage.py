"""Uncompresses an image to a temporary file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg.atomic import require_space, scratch_folder
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.formats.compression.decompress import is_compressed
from bootimg.formats.compression.unpack import unpack
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
def plain_image(disk: Path, cache: Cache, events: Events, size: int | None = None) -> Iterator[Path]:
    """The image itself, or its uncompressed content as a sparse file in the cache while the body runs.

    `size` is the uncompressed size in bytes, if known.  Errors: `image-unreadable`, `no-space-left` (if
    possible before it starts), `compressed-file-damaged`.
    """
    if not is_packed(disk):
        yield disk
        return
    packed = disk.stat().st_size
    need = min(size or packed * _EXPANSION, packed * _EXPANSION)
    with scratch_folder(cache.folder("tmp"), "run-") as folder:
        require_space(folder, need)
        with events.step("uncompress", f"uncompressing {disk.name}", total=packed) as step:
            plain = unpack(disk, folder / (disk.stem or "disk"), step=step, need=need).path
        yield plain
