"""The reader of ISO 9660: the primary volume and its 8.3 names, as coreos-installer sees them.

An ISO is untrusted input: each place and length is checked against the file's size, and the folders that are
read are charged to the image's budget.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.disk.extents import Source
from bootimg.live.iso.eltorito import CatalogueEntry, parse_catalogue
from bootimg.live.iso.sectors import SECTOR
from bootimg.live.iso.volume import damaged, read_volume
from bootimg.untrusted.budget import Budget

_DEEPEST = 16
_FOLDER_FLAG, _MORE_FLAG = 0x02, 0x80


@dataclass(frozen=True, slots=True)
class Record:
    """A file or a folder: its path in 8.3 names, its offset and its length in bytes."""

    path: str
    offset: int
    length: int
    folder: bool


class IsoImage:
    """An ISO in a source; raises `iso-unreadable` where it is damaged, and `iso-compressed`.

    What is read of it is charged to `budget`: `image-over-budget`.
    """

    def __init__(self, source: Source, budget: Budget | None = None) -> None:
        self.source = source
        self.budget = budget or Budget()
        self.volume = read_volume(source)
        offset, length = _place(self.volume.root, 0)
        self._root = self._checked(Record("", offset, length, folder=True))

    def boot_entries(self) -> tuple[CatalogueEntry, ...]:
        """The entries of the boot catalogue; none if it has no catalogue."""
        if self.volume.catalogue is None:
            return ()
        entries = parse_catalogue(self.read(self.volume.catalogue * SECTOR, SECTOR))
        if entries is None:
            raise damaged("its boot catalogue is no catalogue")
        return entries

    def find(self, path: str) -> Record | None:
        """The file or folder of a path, which is compared in upper case; None if it does not exist."""
        found = self._root
        for name in path.upper().split("/"):
            if not found.folder:
                return None
            below = f"{found.path}/{name}" if found.path else name
            match = next((each for each in self.children(found) if each.path == below), None)
            if match is None:
                return None
            found = match
        return found

    def children(self, folder: Record) -> Iterator[Record]:
        """The files and folders directly in a folder."""
        where = f"the folder /{folder.path:.200}"
        self.budget.hold(folder.length, where)
        data = self.read(folder.offset, folder.length)
        at = 0
        while at < len(data):
            length = data[at]
            if length == 0:
                at = (at // SECTOR + 1) * SECTOR
                continue
            name = (
                data[at + 33 : at + 33 + data[at + 32]] if length > 33 and at + length <= len(data) else b""
            )
            if not name or 33 + len(name) > length:
                raise damaged(f"a record of the folder /{folder.path:.200} is cut off")
            self.budget.steps(1, where)
            if name not in (b"\0", b"\1"):
                yield self._record(folder, name, data, at)
            at += length

    def walk(self) -> Iterator[Record]:
        """All files and folders, each folder before what is in it."""
        waiting = [(self._root, 0)]
        while waiting:
            folder, depth = waiting.pop()
            if depth > _DEEPEST:
                raise damaged("its folders are nested too deeply or in a circle")
            # A folder without anything in it takes time too.
            self.budget.name(len(folder.path), f"the folder /{folder.path:.200}")
            found = [self._named(each) for each in self.children(folder)]
            yield from found
            waiting += [(each, depth + 1) for each in reversed(found) if each.folder]

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the image."""
        if offset + length > self.source.size:
            raise damaged(f"{length} bytes at {offset} are after its end")
        return self.source.read(offset, length)

    def _named(self, record: Record) -> Record:
        self.budget.name(len(record.path), f"/{record.path:.200}")
        return record

    def _record(self, folder: Record, name: bytes, data: bytes, at: int) -> Record:
        offset, length = _place(data, at)
        flags = data[at + 25]
        text = _text(name.removesuffix(b";1").removesuffix(b"."))
        if "/" in text or not text.isprintable() or text in ("", ".", ".."):
            raise damaged(f"the folder /{folder.path:.200} has the name {text!r:.80}")
        path = f"{folder.path}/{text}" if folder.path else text
        if flags & _MORE_FLAG:
            raise damaged(f"/{path:.200} is in several pieces, which CoreOS's ISOs do not have")
        return self._checked(Record(path, offset, length, bool(flags & _FOLDER_FLAG)))

    def _checked(self, record: Record) -> Record:
        if record.offset + record.length > self.source.size:
            raise damaged(f"/{record.path:.200} is after its end")
        return record


def _place(data: bytes, at: int) -> tuple[int, int]:
    """Offset and length in bytes of what the record at `at` describes."""
    (sector,) = struct.unpack_from("<I", data, at + 2)
    (length,) = struct.unpack_from("<I", data, at + 10)
    return sector * SECTOR, length


def _text(data: bytes) -> str:
    """A text of the primary volume, without the spaces at its end."""
    return data.decode("latin-1").rstrip(" \0")
