"""Finds the non-zero blocks of a disk, and derives identifiers from its content."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator

from bootimg.disk.extents import Source, is_zero
from bootimg.sizes import KIB

_PROBE = 512
_START = 64 * KIB
_NAMESPACE = uuid.UUID("0c5c7c53-a68e-5a43-9d0e-7f2b1d3c6a11")


def used_blocks(source: Source, block: int) -> Iterator[int]:
    """Indices of the blocks of `block` bytes that are not all zeros; usually the first bytes decide."""
    done = -1
    for extent in source.extents():
        if not extent.data:
            continue
        for index in range(max(extent.offset // block, done + 1), -(-extent.end // block)):
            offset = index * block
            length = min(block, source.size - offset)
            probe = source.read(offset, min(_PROBE, length))
            done = index
            if not (is_zero(probe) and is_zero(source.read(offset, length))):
                yield index


def runs(indices: Iterable[int], most: int | None = None) -> Iterator[tuple[int, int]]:
    """Groups consecutive indices as (first, count), with a count of at most `most`."""
    first = count = 0
    for index in indices:
        if count and index == first + count and count != most:
            count += 1
            continue
        if count:
            yield first, count
        first, count = index, 1
    if count:
        yield first, count


def identity(source: Source, what: str) -> uuid.UUID:
    """A UUID for `what` of a disk, for formats that have it before the content.

    It depends on the disk's size and start (the GPT with its GUIDs), so it is reproducible.
    """
    start = hashlib.sha256(source.read(0, min(_START, source.size))).hexdigest()
    return uuid.uuid5(_NAMESPACE, f"{what} {source.size} {start}")


def content_identity(sha256: str, what: str) -> uuid.UUID:
    """A UUID for `what` of a disk whose content has this digest."""
    return uuid.uuid5(_NAMESPACE, f"{what} {sha256}")
