"""The reader of ISO 9660: the primary volume and its 8.3 names, as coreos-installer sees them.

An ISO is untrusted input: each place and length is checked against the file's size, and what a folder may
hold is bounded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats.compression.decompress import compressor_of_data
from bootimg.formats.compression.writer import Compressor
from bootimg.live.iso import descriptors
from bootimg.live.iso.eltorito import CatalogueEntry, parse_catalogue
from bootimg.live.iso.sectors import SECTOR, SYSTEM_AREA
from bootimg.sizes import MIB

_MOST_DESCRIPTORS = 64
_LARGEST_FOLDER = MIB
_DEEPEST = 16
_MOST_FOLDERS = 4096
_ROOT_RECORD = 156
_FOLDER_FLAG = 2


@dataclass(frozen=True, slots=True)
class Record:
    """A file or a folder: its path in 8.3 names, its offset and its length in bytes."""

    path: str
    offset: int
    length: int
    folder: bool


class IsoImage:
    """An ISO in a source; raises `iso-unreadable` where it is damaged, and `iso-compressed`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._catalogue_sector: int | None = None
        self._primary = b""
        self.has_joliet = False
        self._read_descriptors()
        self.volume_id = _text(self._primary[40:72])
        self.volume_size = int.from_bytes(self._primary[80:84], "little") * SECTOR
        if self.volume_size > source.size:
            raise damaged(f"it says that it has {self.volume_size} bytes, and the file has {source.size}")
        extent, length = _place(self._primary, _ROOT_RECORD)
        self._root = self._checked(Record("", extent, length, folder=True))

    def boot_entries(self) -> tuple[CatalogueEntry, ...]:
        """The entries of the boot catalogue; none if it has no catalogue."""
        if self._catalogue_sector is None:
            return ()
        entries = parse_catalogue(self.read(self._catalogue_sector * SECTOR, SECTOR))
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
            if name not in (b"\0", b"\1"):
                yield self._record(folder, name, data, at)
            at += length

    def walk(self) -> Iterator[Record]:
        """All files and folders, each folder before what is in it."""
        waiting, seen = [(self._root, 0)], 0
        while waiting:
            folder, depth = waiting.pop()
            seen += 1
            if depth > _DEEPEST or seen > _MOST_FOLDERS:
                raise damaged("its folders are nested too deeply, or in a circle")
            found = list(self.children(folder))
            yield from found
            waiting += [(each, depth + 1) for each in reversed(found) if each.folder]

    def content(self, record: Record, limit: int) -> bytes:
        """A file's content; a larger file than `limit` bytes is refused."""
        if record.length > limit:
            raise damaged(f"/{record.path:.200} has {record.length} bytes, more than {limit}")
        return self.read(record.offset, record.length)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the image."""
        if offset + length > self.source.size:
            raise damaged(f"{length} bytes at {offset} are after its end")
        return self.source.read(offset, length)

    def _read_descriptors(self) -> None:
        for number in range(_MOST_DESCRIPTORS):
            data = self._descriptor(SYSTEM_AREA + number * SECTOR)
            kind = data[0]
            if kind == descriptors.TERMINATOR:
                break
            if kind == descriptors.PRIMARY and not self._primary:
                self._primary = data
            elif kind == descriptors.BOOT and data[7:].startswith(descriptors.EL_TORITO):
                (self._catalogue_sector,) = struct.unpack_from("<I", data, 71)
            elif kind == descriptors.SUPPLEMENTARY:
                self.has_joliet |= data[88:91] in descriptors.JOLIET_LEVELS
        if not self._primary:
            raise damaged("it has no primary volume descriptor")

    def _descriptor(self, offset: int) -> bytes:
        data = self.source.read(offset, SECTOR) if offset + SECTOR <= self.source.size else b""
        if data[1:7] != descriptors.SIGNATURE + b"\1":
            self._refuse_compressed()
            raise damaged("it has no volume descriptors")
        return data

    def _refuse_compressed(self) -> None:
        start = self.source.read(0, min(8, self.source.size))
        if (compressor := compressor_of_data(start)) is not Compressor.NONE:
            raise BootimgError(
                "iso-compressed",
                f"the ISO is compressed ({compressor}): its areas cannot be read or changed",
                hint="uncompress it first: xz -d, gzip -d or zstd -d",
                exit_code=ExitCode.USAGE,
            )

    def _record(self, folder: Record, name: bytes, data: bytes, at: int) -> Record:
        offset, length = _place(data, at)
        is_folder = bool(data[at + 25] & _FOLDER_FLAG)
        text = _text(name.removesuffix(b";1").removesuffix(b"."))
        if "/" in text or not text.isprintable() or text in ("", ".", ".."):
            raise damaged(f"the folder /{folder.path:.200} has the name {text!r:.80}")
        path = f"{folder.path}/{text}" if folder.path else text
        return self._checked(Record(path, offset, length, is_folder))

    def _checked(self, record: Record) -> Record:
        if record.offset + record.length > self.source.size:
            raise damaged(f"/{record.path:.200} is after its end")
        if record.folder and record.length > _LARGEST_FOLDER:
            raise damaged(f"the folder /{record.path:.200} has {record.length} bytes")
        return record


def _place(data: bytes, at: int) -> tuple[int, int]:
    """Offset and length in bytes of what the record at `at` describes."""
    (sector,) = struct.unpack_from("<I", data, at + 2)
    (length,) = struct.unpack_from("<I", data, at + 10)
    return sector * SECTOR, length


def _text(data: bytes) -> str:
    """A text of the primary volume, without the spaces at its end."""
    return data.decode("latin-1").rstrip(" \0")


def damaged(why: str) -> BootimgError:
    """The error for an ISO whose structures are wrong."""
    return BootimgError(
        "iso-unreadable",
        f"the file is not an ISO 9660 image, or is damaged: {why}",
        hint="check its digest, and get it again",
        exit_code=ExitCode.USAGE,
    )
