"""A compressed image as a plain file, for one run."""

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

# What compresses better than this is zeros, for the most part, and they become holes.
_EXPANSION = 4


def is_packed(disk: Path) -> bool:
    """Whether an image is a .gz, .xz or .zst; `image-unreadable` where it cannot be read."""
    try:
        return is_compressed(disk)
    except OSError as error:
        raise unreadable(disk, error) from None


@contextmanager
def plain_image(disk: Path, cache: Cache, events: Events, size: int | None = None) -> Iterator[Path]:
    """The image itself, or what it holds as a sparse file in the cache, gone when the body ends.

    `size` is the plain file's, where it is known.  Errors: `image-unreadable`, `no-space-left` (before it
    starts where there is too little), `compressed-file-damaged`.
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
