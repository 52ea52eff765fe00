"""The entries of a layer as a file in the cache, so that an unchanged layer is not listed again.

The first line is the format's number.  Each further line is a JSON list of some entries: a large layer would
take several times its memory if it were one document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bootimg.layer.image.blobs import replacing
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.pax import Xattrs
from bootimg.untrusted.budget import Budget

_FORMAT = b"3\n"
_BATCH = 1000


def write_index(path: Path, entries: Sequence[Entry]) -> None:
    """Write the entries."""
    with replacing(path) as output:
        output.write(_FORMAT)
        for at in range(0, len(entries), _BATCH):
            some = entries[at : at + _BATCH]
            output.write(json.dumps([_row(each) for each in some], separators=(",", ":")).encode() + b"\n")


def read_index(path: Path, layer: int, budget: Budget) -> tuple[Entry, ...] | None:
    """The entries, of the layer of that number; None without a file, or for one of another format."""
    try:
        with path.open("rb") as file:
            return tuple(_entries(file, layer, budget)) if file.readline(len(_FORMAT)) == _FORMAT else None
    except FileNotFoundError:
        return None


def _entries(lines: Iterator[bytes], layer: int, budget: Budget) -> Iterator[Entry]:
    known: dict[Xattrs, Xattrs] = {}
    for line in lines:
        for row in json.loads(line):
            entry = _entry(row, layer, known)
            budget.name(entry.text, entry.path)
            yield entry


def _row(entry: Entry) -> list[Any]:
    return [
        entry.path, entry.kind.value, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime,
        [[name, value.hex()] for name, value in entry.xattrs], entry.target, entry.offset,
    ]  # fmt: skip


def _entry(row: list[Any], layer: int, known: dict[Xattrs, Xattrs]) -> Entry:
    path, kind, mode, uid, gid, size, mtime, pairs, target, offset = row
    xattrs = tuple((key, bytes.fromhex(value)) for key, value in pairs)
    # Most files of a layer have one of a few sets.
    xattrs = known.setdefault(xattrs, xattrs)
    return Entry(path, Kind(kind), mode, uid, gid, size, mtime, xattrs, target, layer, offset)
