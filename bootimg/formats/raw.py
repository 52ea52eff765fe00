"""Raw images: the disk's bytes unchanged, with holes and zeros as holes of the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg.disk.extents import Source, is_zero
from bootimg.events import Step
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import ReadingProgress, Sink, Written, data_length, refuse_options
from bootimg.sizes import MIB


def write_raw(
    source: Source,
    out: Path,
    options: Mapping[str, str | bool],
    step: Step | None,
    packing: Packing | None = None,
) -> Written:
    """Write a sparse raw file; it has no options, so any is `format-option-unsupported`."""
    refuse_options("raw", options, {})
    total = data_length(source)
    with open_output(out, packing or Packing(), total) as file:
        copy_content(source, file, ReadingProgress(step, total))
        return file.finish(out)


def copy_content(source: Source, sink: Sink, progress: ReadingProgress) -> None:
    """Copy all bytes of a source; skips each MiB of zeros."""
    for extent in source.extents():
        if not extent.data:
            sink.skip(extent.length)
            continue
        for offset in range(extent.offset, extent.end, MIB):
            data = source.read(offset, min(MIB, extent.end - offset))
            if is_zero(data):
                sink.skip(len(data))
            else:
                sink.write(data)
            progress.advance(len(data))
    progress.finish()
