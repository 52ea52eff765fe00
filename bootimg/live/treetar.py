"""A tree of entries as a tar stream, for programs that make a file system of it."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator

from bootimg import tarstream
from bootimg.disk.extents import read_exactly
from bootimg.sizes import MIB
from bootimg.sysroot.entries import Entry, Kind

_TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.DIRECTORY: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.WHITEOUT: tarfile.CHRTYPE,
}
_NANO = 10**9


def tree_tar(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive in pieces; times are cut to seconds.

    The second and further names of a file are hard links of the first.
    """
    first: dict[str, str] = {}
    for entry in entries:
        name = _text(entry.path)
        if entry.link is None or (target := first.setdefault(entry.link, name)) == name:
            yield _headers(entry, name)
            yield from _content(entry)
        else:
            yield tarstream.pax_headers(name, kind=tarfile.LNKTYPE, link=target)
    yield tarstream.END


def _headers(entry: Entry, name: str) -> bytes:
    folder = entry.kind is Kind.DIRECTORY
    return tarstream.pax_headers(
        # The root directory has no name of its own.
        f"{name or '.'}/" if folder else name,
        entry.size,
        kind=_TYPES[entry.kind],
        mode=entry.mode,
        owner=(entry.uid, entry.gid),
        mtime=entry.mtime // _NANO,
        link=_text(entry.target),
        xattrs=[(_text(key), value) for key, value in entry.xattrs],
    )


def _content(entry: Entry) -> Iterator[bytes]:
    content = entry.content
    if isinstance(content, bytes):
        yield content
    else:
        fd = os.open(content.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for at in range(0, entry.size, MIB):
                yield read_exactly(fd, content.offset + at, min(MIB, entry.size - at))
        finally:
            os.close(fd)
    yield tarstream.padding(entry.size)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
