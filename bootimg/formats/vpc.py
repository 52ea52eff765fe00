"""Fixed VHD ("vpc"): the raw disk and a footer of 512 bytes.

The footer is that of Microsoft's "Virtual Hard Disk Image Format Specification" 1.0.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.formats.allocation import content_identity
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import Digest, DigestSink, ReadingProgress, Written, data_length, refuse_options
from bootimg.formats.raw import copy_content
from bootimg.sizes import GIB, MIB, format_size

LIMIT = 2040 * GIB
_FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB427x")
_CHECKSUM_AT = 64
_SECTOR = 512
_FIXED = 2
# Readers such as QEMU use the size instead of the geometry only for creators that they know.
_CREATOR = b"qem2"
_OPTIONS: Mapping[str, tuple[str | bool, ...]] = {"subformat": ("fixed",), "force_size": (True,)}


def write_vpc(
    source: Source,
    out: Path,
    options: Mapping[str, str | bool],
    step: Step | None,
    packing: Packing | None = None,
) -> Written:
    """Write a fixed VHD as a sparse file; its id is derived from its content, its time is 2000-01-01.

    `options` are osbuild's for vpc with these values only: `subformat` fixed and `force_size` true; others
    are `format-option-unsupported`.  A size that is not a multiple of 1 MiB (Azure's rule), or above
    2040 GiB, is `vhd-size-invalid`.
    """
    refuse_options("vpc", options, _OPTIONS)
    _check_size(source.size)
    total = data_length(source)
    with open_output(out, packing or Packing(), total + _FOOTER.size) as file:
        copy_content(source, file, ReadingProgress(step, total))
        file.write(footer(source.size, content_identity(file.digest(), "vhd").bytes))
        return file.finish(out)


def as_vpc(source: Source) -> tuple[Source, str]:
    """The bytes that `write_vpc` writes, without a file, and their SHA-256."""
    _check_size(source.size)
    with Digest() as digest:
        sink = DigestSink(digest)
        copy_content(source, sink, ReadingProgress(None, data_length(source)))
        end = footer(source.size, content_identity(sink.digest(), "vhd").bytes)
        sink.write(end)
        sha256 = sink.digest()
    return Composite(source, Patch(((source.size, end),)), source.size + _FOOTER.size), sha256


def _check_size(size: int) -> None:
    if size % MIB == 0 and 0 < size <= LIMIT:
        return
    raise BootimgError(
        "vhd-size-invalid",
        f"a disk of {size} bytes cannot be a VHD",
        hint=f"its size must be a multiple of 1 MiB, up to {format_size(LIMIT)}",
        exit_code=ExitCode.USAGE,
    )


def footer(size: int, identity: bytes) -> bytes:
    """The footer of a disk of `size` bytes; `identity` is a UUID's 16 bytes."""
    fields = [
        b"conectix", 2, 0x10000, (1 << 64) - 1, 0, _CREATOR, 0x10000, b"Wi2k", size, size,
        *geometry(size // _SECTOR), _FIXED, 0, identity, 0,
    ]  # fmt: skip
    data = bytearray(_FOOTER.pack(*fields))
    struct.pack_into(">I", data, _CHECKSUM_AT, ~sum(data) & 0xFFFFFFFF)
    return bytes(data)


def geometry(sectors: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors per track, from the specification's appendix "CHS Calculation"."""
    sectors = min(sectors, 65535 * 16 * 255)
    if sectors >= 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    track = sectors // 17
    heads = max(4, -(-track // 1024))
    if track < heads * 1024 and heads <= 16:
        return track // heads, heads, 17
    track = sectors // 31
    if track < 16 * 1024:
        return track // 16, 16, 31
    return sectors // 63 // 16, 16, 63
