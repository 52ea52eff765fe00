"""The content of entries as files of this machine, for programs that copy files."""

from __future__ import annotations

import os
from pathlib import Path

from bootimg.disk.extents import read_exactly
from bootimg.sysroot.entries import Entry


def place_content(entry: Entry, path: Path) -> None:
    """Make the content of a regular file available at `path`: a link where it fills a file already."""
    content = entry.content
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content.offset == 0 and Path(content.path).stat().st_size == entry.size:
        path.symlink_to(Path(content.path).absolute())
    else:
        path.write_bytes(read_content(entry))


def read_content(entry: Entry) -> bytes:
    """The content of a regular file."""
    content = entry.content
    if isinstance(content, bytes):
        return content
    fd = os.open(content.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_exactly(fd, content.offset, entry.size)
    finally:
        os.close(fd)
