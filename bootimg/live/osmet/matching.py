"""Finds the content of objects in other partitions, whatever their file system.

/boot has the kernel and the initramfs, the ESP the bootloader, and all are also files of the deployment.
File systems begin a file at a multiple of 512 bytes, and continue it there after a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bootimg.disk.extents import Source, data_chunks, is_zero
from bootimg.disk.xfs.read.volume import XfsVolume
from bootimg.live.osmet.fileformat import Mapping
from bootimg.live.osmet.objects import StoredObject, stored_content
from bootimg.sizes import KIB, MIB

_STEP = 512
_SMALLEST = 4 * KIB
"""Objects smaller than this are not searched: they compress to little more than the size of a mapping."""
_SHORTEST = 4 * KIB
"""The shortest part of an object that is worth a mapping."""
_PIECE = 256 * KIB
_MOST_PARTS = 32
"""Parts with the same beginning that are compared, the latest ones: a layer can have very many."""


class _Part(NamedTuple):
    """What follows the byte `offset` of an object."""

    object: StoredObject
    offset: int


class ContentIndex:
    """Parts of objects by the hash of their first 512 bytes, which are not zeros."""

    def __init__(self, volume: XfsVolume, objects: Iterable[StoredObject]) -> None:
        self._volume = volume
        self._parts: dict[int, list[_Part]] = {}
        for each in objects:
            if each.size >= _SMALLEST:
                self._add(each, 0)

    def find(self, source: Source, start: int, end: int) -> Iterator[Mapping]:
        """Mappings of objects that lie between two bytes of a disk, counted from `start`."""
        position = start
        for offset, length in data_chunks(source, start, end, MIB):
            chunk = memoryview(source.read(offset, length))
            first = max(position, offset)
            first += -(first - start) % _STEP
            for at in range(first, offset + length - _STEP + 1, _STEP):
                if at < position:
                    continue
                parts = self._parts.get(hash(chunk[at - offset : at - offset + _STEP]))
                if not parts:
                    continue
                part, same = self._longest(source, at, end, parts)
                if same >= _SHORTEST:
                    yield Mapping(at - start, same, part.offset, part.object.checksum)
                if same:
                    position = at + same
                    self._add(part.object, part.offset + same)

    def _add(self, stored: StoredObject, offset: int) -> None:
        """Add what begins with the first 512 bytes from `offset` on that are not zeros, within a MiB."""
        for start in range(offset, min(stored.size - _SHORTEST + 1, offset + MIB), _STEP):
            head = stored_content(self._volume, stored, start, _STEP)
            if not is_zero(head):
                parts, part = self._parts.setdefault(hash(head), []), _Part(stored, start)
                if part not in parts:
                    parts.append(part)
                    del parts[:-_MOST_PARTS]
                return

    def _longest(self, source: Source, at: int, end: int, parts: Sequence[_Part]) -> tuple[_Part, int]:
        """The part that has the most in common with the disk from `at` on, and how much."""
        found = [(part, self._same(source, at, end, part)) for part in parts]
        return max(found, key=lambda each: (each[1], each[0].object.checksum, each[0].offset))

    def _same(self, source: Source, at: int, end: int, part: _Part) -> int:
        """How many bytes from `at` on are those of the part: all of it, or a multiple of 512."""
        most = min(part.object.size - part.offset, end - at)
        for done in range(0, most, _PIECE):
            length = min(_PIECE, most - done)
            here = source.read(at + done, length)
            there = stored_content(self._volume, part.object, part.offset + done, length)
            if here != there:
                steps = range(0, length, _STEP)
                return done + next(
                    step for step in steps if here[step : step + _STEP] != there[step : step + _STEP]
                )
        return most
