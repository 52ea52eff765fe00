"""The headers of a layer's or a tree's entries, for archives that are made of them."""

from __future__ import annotations

import tarfile

from bootimg import tarstream
from bootimg.layer.tar.entry import Entry, Kind

_TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.HARDLINK: tarfile.LNKTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.DIRECTORY: tarfile.DIRTYPE,
}


def member(entry: Entry) -> bytes:
    """The headers of a member; a file's content and its padding follow them."""
    return tarstream.pax_headers(
        entry.path + ("/" if entry.kind is Kind.DIRECTORY else ""),
        entry.size,
        kind=_TYPES[entry.kind],
        mode=entry.mode,
        owner=(entry.uid, entry.gid),
        mtime=entry.mtime,
        link=entry.target,
        xattrs=entry.xattrs,
    )
