"""The archive that Google Cloud imports: a sparse `disk.raw` in an old GNU tar, gzipped as one member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bootimg.disk.extents import Source
from bootimg.errors import BootimgError
from bootimg.events import Step
from bootimg.formats.compression.decompress import PlainReader
from bootimg.formats.compression.writer import Compressor, Packing, open_output
from bootimg.formats.output import ReadingProgress, Written, data_length, refuse_options
from bootimg.formats.sparsetar import end, member_size, write_sparse
from bootimg.tarstream import BLOCK

MEMBER = "disk.raw"


def disk_size(path: Path) -> int | None:
    """The size in bytes of the disk in such an archive; None where it does not begin with `disk.raw`."""
    try:
        with PlainReader(path) as reader:
            return member_size(next(iter(reader), b"")[:BLOCK], MEMBER)
    except BootimgError as error:
        if error.id != "compressed-file-damaged":
            raise
        return None


def write_gcp(
    source: Source,
    out: Path,
    options: Mapping[str, str | bool],
    step: Step | None,
    packing: Packing | None = None,
) -> Written:
    """Write the tar.gz; it has no options, and is always gzip whatever `packing` says beside threads.

    The `uncompressed_` values of the result are those of the tar.
    """
    refuse_options("gcp", options, {})
    progress = ReadingProgress(step, data_length(source))
    packing = replace(packing or Packing(), compressor=Compressor.GZIP)
    with open_output(out, packing) as file:
        write_sparse(file, MEMBER, source, progress)
        end(file)
        return file.finish(out)
