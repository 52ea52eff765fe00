"""What an initramfs has that makes it the one of a live system.

An initramfs is a row of archives, each compressed or not, with zeros between them; of two files with one path
the later one counts (the kernel's "initramfs buffer format").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bootimg.live.cpio import ALIGNMENT, MAGIC
from bootimg.live.cpioread import ForwardFile, malformed, read_archive, read_member
from bootimg.live.initramfs import FEATURES, VERSION, WANT_ROOTFS
from bootimg.live.reading.region import Region
from bootimg.live.reading.streamfile import StreamFile
from bootimg.sizes import KIB
from bootimg.untrusted.budget import Budget

_ZEROS = 64 * KIB
_LONGEST_STAMP = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveInitramfs:
    """The build's id, the checksums of the rootfs image, and features.json; None for what is missing."""

    version: str | None
    want_rootfs: bytes | None
    features: bytes | None


def read_initramfs(region: Region, budget: Budget) -> LiveInitramfs:
    """Read an initramfs once; raises `live-archive-malformed`, `image-over-budget`."""
    found: dict[str, bytes] = {}
    budget.pack(region.length, "an initramfs")
    with region.open() as file:
        for path, data in _files(file, region.length, budget):
            found[path] = data
    version = found.get(VERSION)
    return LiveInitramfs(
        version=None if version is None else stamp(version),
        want_rootfs=found.get(WANT_ROOTFS),
        features=found.get(FEATURES),
    )


def stamp(data: bytes) -> str:
    """The build's id in a file of the live system."""
    return data[:_LONGEST_STAMP].decode(errors="replace").strip()


def _files(file: BinaryIO, size: int, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """The files of interest, in order."""
    at = _after_zeros(file, 0)
    while at < size:
        if _is_archive(file, at):
            yield from _wanted(file, at, size, budget)
            at = file.tell()
        else:
            stream = StreamFile(file, at, budget)
            yield from _unpacked(stream, budget)
            at = stream.end
        at = _after_zeros(file, at)


def _unpacked(stream: StreamFile, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """The files of interest in a compressed stream, whose archives are not compressed again."""
    yield from _wanted(stream, 0, budget.limits.unpacked, budget)
    while data := stream.read(_ZEROS):
        if data.strip(b"\0"):
            raise malformed(stream.tell(), "data follows an archive in its compressed stream")


def _wanted(file: ForwardFile, start: int, end: int, budget: Budget) -> Iterator[tuple[str, bytes]]:
    for found in read_archive(file, start, end, budget):
        path = found.name.removeprefix("/").removeprefix("./")
        if found.is_file and path in (VERSION, WANT_ROOTFS, FEATURES):
            yield path, read_member(file, found, budget)


def _is_archive(file: BinaryIO, at: int) -> bool:
    file.seek(at)
    if file.read(len(MAGIC)) != MAGIC:
        return False
    if at % ALIGNMENT:
        raise malformed(at, f"an archive begins at no multiple of {ALIGNMENT}")
    return True


def _after_zeros(file: BinaryIO, at: int) -> int:
    """The next byte that is not zero, or the end."""
    file.seek(at)
    while data := file.read(_ZEROS):
        rest = data.lstrip(b"\0")
        at += len(data) - len(rest)
        if rest:
            break
    return at
