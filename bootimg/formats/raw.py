"""Raw images: the disk's bytes as they are, holes and zeros as holes of the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg.atomic import whole_file
from bootimg.disk.extents import Source, is_zero
from bootimg.events import Step
from bootimg.formats.written import DigestingFile, Progress, Written, data_length, refuse_options
from bootimg.sizes import MIB

_ZEROS = bytes(MIB)


def write_raw(source: Source, out: Path, options: Mapping[str, str | bool], step: Step | None) -> Written:
    """Write a sparse raw file; there are no options: any is `format-option-unsupported`."""
    refuse_options("raw", options, {})
    total = data_length(source)
    progress = Progress(step, total)
    with whole_file(out, need=total) as handle, DigestingFile(handle) as file:
        for extent in source.extents():
            for offset in range(extent.offset, extent.end, MIB):
                amount = min(MIB, extent.end - offset)
                data = source.read(offset, amount) if extent.data else _ZEROS[:amount]
                if not extent.data or is_zero(data):
                    file.skip(data)
                else:
                    file.write(data)
                if extent.data:
                    progress.advance(amount)
        handle.truncate(file.position)
        progress.finish()
        return file.finish(out)
