"""Reads cdboot.img of s390x, and the file that lists what a logical partition loads, as the machine does.

An ISO is untrusted: an address is used only if it is inside the image.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.disk.zipl.kernelimage import ARGUMENTS_AT, INITRAMFS_AT, arguments_room, is_kernel
from bootimg.live.malformed import MalformedError
from bootimg.live.reading.region import Region
from bootimg.sizes import MIB

_LARGEST_LIST, _MOST_LINES = 64 << 10, 64


@dataclass(frozen=True, slots=True)
class CdbootParts:
    """What is in the image: the kernel with what fills its last page, and the initramfs.

    `parameters` are the ranges of offsets in the kernel that the maker of the image has filled.
    """

    kernel: Region
    initramfs: Region
    parameters: tuple[range, range]


def read_cdboot(image: Region) -> CdbootParts:
    """The parts; MalformedError says why a machine would not start them."""
    head = b"".join(image.part(0, min(image.length, MIB)).chunks(MIB))
    if len(head) <= ARGUMENTS_AT or not is_kernel(head):
        raise MalformedError("it does not begin with a kernel that loads itself")
    start, length = struct.unpack_from(">QQ", head, INITRAMFS_AT)
    room = arguments_room(head)
    end = ARGUMENTS_AT + room
    if not end <= start <= start + length <= image.length:
        raise MalformedError(f"the kernel finds an initramfs of {length} bytes at {start}")
    parameters = range(INITRAMFS_AT, INITRAMFS_AT + 16), range(ARGUMENTS_AT, end)
    return CdbootParts(image.part(0, start), image.part(start, length), parameters)


def read_ins(file: Region) -> dict[str, int]:
    """The addresses to which files are loaded, by path; MalformedError where it cannot be read."""
    if file.length > _LARGEST_LIST:
        raise MalformedError(f"it has {file.length} bytes")
    text = b"".join(file.chunks(_LARGEST_LIST)).decode("latin-1")
    return dict(_lines(text))


def _lines(text: str) -> Iterator[tuple[str, int]]:
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("*")]
    if len(lines) > _MOST_LINES:
        raise MalformedError(f"it lists {len(lines)} files")
    for words in lines:
        try:
            path, address = words
            yield path, int(address, 16)
        except ValueError:
            raise MalformedError(f"{' '.join(words)!r:.80} is no path and address") from None


def first_difference(one: Region, other: Region, ignored: tuple[range, ...] = ()) -> int | None:
    """The offset of the first byte in which two regions differ, as far as the shorter one goes.

    Bytes in the `ignored` ranges do not count, nor differences in length.
    """
    length = min(one.length, other.length)
    pairs = zip(one.part(0, length).chunks(MIB), other.part(0, length).chunks(MIB), strict=True)
    for number, (mine, theirs) in enumerate(pairs):
        start = number * MIB
        for at in _different(mine, theirs):
            if not any(start + at in each for each in ignored):
                return start + at
    return None


def _different(mine: bytes, theirs: bytes) -> Iterator[int]:
    if mine != theirs:
        yield from (at for at, (one, other) in enumerate(zip(mine, theirs, strict=True)) if one != other)
