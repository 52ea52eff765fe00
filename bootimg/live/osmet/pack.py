"""Packs a metal image into an osmet file, without a mount or a loop device.

What is an object's content follows from the metadata of the root file system, and from comparing the other
partitions with the objects.  The rest of the image is compressed as it is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from bootimg.atomic import enough_space, whole_file
from bootimg.disk.extents import Source
from bootimg.disk.gpt import read_gpt
from bootimg.events import Step
from bootimg.formats.compression.parallel import processors
from bootimg.formats.compression.xzwrite import XzCodec
from bootimg.formats.output import Digest, DigestingFile, ReadingProgress, Written, data_length
from bootimg.live.osmet.fileformat import DIGEST, Mapping, Osmet, encoded
from bootimg.live.osmet.mapping import Gaps, mapped_partitions
from bootimg.live.osmet.zerosapart import ZerosApart
from bootimg.sizes import MIB

Checksum = Callable[[], str]


def pack_osmet(
    disk: Source,
    out: Path,
    *,
    description: str,
    architecture: str,
    checksum: Checksum | None = None,
    threads: int | None = None,
    step: Step | None = None,
) -> Written:
    """Write the osmet file of a metal image atomically.

    `description` is what an installation shows (the layer's PRETTY_NAME), `architecture` is uname's name.
    The sector size is that of the partition table.  `checksum` returns the image's SHA-256 in hex; it is
    called after the image was read, so that whoever writes the image can compute the digest meanwhile.
    Without it the image is hashed here, which needs all of its data and not only what is packed.
    Errors: `gpt-damaged`, `root-filesystem-unreadable`, `no-space-left`.
    """
    gpt = read_gpt(disk)
    osmet = Osmet(
        app_version=f"bootimg {version('bootimg')}",
        sector_size=gpt.sector_size,
        description=description,
        architecture=architecture,
        partitions=mapped_partitions(disk, gpt),
        checksum=bytes(DIGEST),
        size=disk.size,
    )
    return write_osmet(disk, osmet, out, checksum=checksum, threads=threads, step=step)


def write_osmet(
    disk: Source,
    osmet: Osmet,
    out: Path,
    *,
    checksum: Checksum | None = None,
    threads: int | None = None,
    step: Step | None = None,
) -> Written:
    """Pack an image with known mappings; the parameters are those of `pack_osmet`.

    The checksum in `osmet` does not matter.
    """
    progress = ReadingProgress(step, data_length(disk))
    with ExitStack() as stack:
        stack.enter_context(enough_space(out.parent))
        packed = stack.enter_context(tempfile.TemporaryFile(dir=out.parent))
        digest = Digest() if checksum is None else None
        if digest is not None:
            stack.enter_context(digest)
            checksum = digest.hexdigest
        for done in _pack(disk, list(osmet.absolute()), packed, threads or processors(), digest):
            progress.advance(done)
        progress.finish()
        assert checksum is not None
        finished = replace(osmet, checksum=bytes.fromhex(checksum()))
        return _write(out, encoded(finished), packed)


def _pack(
    disk: Source, mappings: Sequence[Mapping], packed: BinaryIO, threads: int, digest: Digest | None
) -> Iterator[int]:
    """Compress what no mapping has; yields after each piece how much of the disk's data it had."""

    def put(data: bytes) -> None:
        packed.write(data)

    gaps = Gaps(mappings)
    with XzCodec(put, threads) as codec:
        stream = ZerosApart(codec)
        for extent in disk.extents():
            if not extent.data:
                if digest is not None:
                    digest.zeros(extent.length)
                for start, end in gaps.within(extent.offset, extent.end):
                    stream.skip(end - start)
                continue
            for offset in range(extent.offset, extent.end, MIB):
                piece = range(offset, min(offset + MIB, extent.end))
                for data in _unmapped(disk, piece, gaps, digest):
                    stream.write(data)
                yield len(piece)
        stream.finish()


def _unmapped(disk: Source, piece: range, gaps: Gaps, digest: Digest | None) -> Iterator[bytes]:
    """The bytes of a piece of the disk that no mapping has; nothing else is read if nothing is hashed."""
    if digest is None:
        for start, end in gaps.within(piece.start, piece.stop):
            yield disk.read(start, end - start)
        return
    data = disk.read(piece.start, len(piece))
    digest.update(data)
    for start, end in gaps.within(piece.start, piece.stop):
        yield data[start - piece.start : end - piece.start]


def _write(out: Path, head: bytes, packed: BinaryIO) -> Written:
    with whole_file(out) as handle, DigestingFile(handle) as file:
        file.write(head)
        packed.seek(0)
        while data := packed.read(MIB):
            file.write(data)
        return file.finish(out)
