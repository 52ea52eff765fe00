"""The writing of an ISO: one pass, in order, a MiB at a time."""

from __future__ import annotations

import os

from bootimg.disk.extents import read_exactly
from bootimg.events import Step
from bootimg.formats.output import ReadingProgress, Sink
from bootimg.live.iso.layout import IsoLayout
from bootimg.live.iso.tree import IsoFile
from bootimg.sizes import MIB
from bootimg.sysroot.entries import HostFile


def write_iso(layout: IsoLayout, sink: Sink, step: Step | None = None) -> None:
    """Write the whole ISO; a step's total is `content_length`."""
    progress = ReadingProgress(step, content_length(layout))
    sink.write(layout.head)
    for path, file in layout.files.items():
        sink.skip(layout.offsets[path] - sink.position)
        _write_file(file, sink, progress)
    sink.skip(layout.volume_size - sink.position)
    sink.write(layout.tail)
    progress.finish()


def content_length(layout: IsoLayout) -> int:
    """The bytes of all files of the ISO."""
    return sum(file.size for file in layout.files.values())


def _write_file(file: IsoFile, sink: Sink, progress: ReadingProgress) -> None:
    if isinstance(file.content, HostFile):
        _copy(file.content, file.size, sink, progress)
    else:
        sink.write(file.content)
        progress.advance(file.size)


def _copy(source: HostFile, size: int, sink: Sink, progress: ReadingProgress) -> None:
    fd = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for done in range(0, size, MIB):
            data = read_exactly(fd, source.offset + done, min(MIB, size - done))
            sink.write(data)
            progress.advance(len(data))
    finally:
        os.close(fd)
