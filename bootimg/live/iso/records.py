"""The folders of the two trees of an ISO as sectors: directory records and path tables."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bootimg.live.iso import rockridge
from bootimg.live.iso.sectors import SECTOR, both16, both32, padded
from bootimg.live.iso.tree import Folder

_DIRECTORY = 2
_SELF, _PARENT = b"\0", b"\1"
_LARGEST = 255


@dataclass(frozen=True, slots=True)
class Extent:
    """A first sector, and a length in bytes."""

    sector: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the folders of a tree, the files, and Rock Ridge's continuation area are; `when` is the time."""

    folders: Mapping[Folder, Extent]
    files: Mapping[str, Extent]
    continuation: int
    when: bytes


def directory_record(name: bytes, at: Extent, when: bytes, *, folder: bool, fields: bytes = b"") -> bytes:
    """One record; `fields` is the system use field."""
    # The fields begin at an even offset, and so does the next record.
    name_field = name if len(name) % 2 else name + b"\0"
    length = 33 + len(name_field) + len(fields)
    record = struct.pack("BB", length + length % 2, 0) + both32(at.sector) + both32(at.length) + when
    record += (
        struct.pack("BBB", _DIRECTORY if folder else 0, 0, 0) + both16(1) + bytes([len(name)]) + name_field
    )
    return record + fields + bytes(length % 2)


def primary_folder(folder: Folder, places: Places) -> bytes:
    """A folder's sectors in the primary tree, with Rock Ridge."""
    parent = folder.parent or folder
    own = rockridge.folder_fields(None, _links(folder), places.when)
    if folder.parent is None:
        own = rockridge.root_fields(_links(folder), places.when, places.continuation)
    above = rockridge.folder_fields(None, _links(parent), places.when)
    return _packed([
        _folder_record(_SELF, folder, places, own),
        _folder_record(_PARENT, parent, places, above),
        *(record for _, record in sorted(_primary_children(folder, places))),
    ])  # fmt: skip


def joliet_folder(folder: Folder, places: Places) -> bytes:
    """A folder's sectors in the Joliet tree."""
    return _packed([
        _folder_record(_SELF, folder, places),
        _folder_record(_PARENT, folder.parent or folder, places),
        *(record for _, record in sorted(_joliet_children(folder, places))),
    ])  # fmt: skip


def path_table(folders: Sequence[Folder], places: Places, *, little: bool, joliet: bool) -> bytes:
    """The folders, breadth first, in one byte order."""
    numbers = {folder: number for number, folder in enumerate(folders, 1)}
    order = "<" if little else ">"
    table = b""
    for folder in folders:
        name = (joliet_name(folder.name) if joliet else folder.short.encode()) or _SELF
        table += struct.pack("BB", len(name), 0)
        table += struct.pack(f"{order}IH", places.folders[folder].sector, numbers[folder.parent or folder])
        table += name + bytes(len(name) % 2)
    return table


def joliet_name(name: str) -> bytes:
    """A name as Joliet has it."""
    return name.encode("utf-16-be")


def _primary_children(folder: Folder, places: Places) -> Iterator[tuple[tuple[str, str], bytes]]:
    for each in folder.folders.values():
        fields = rockridge.folder_fields(each.name, _links(each), places.when)
        yield _sort_key(each.short), _folder_record(each.short.encode(), each, places, fields)
    for name, (short, file) in folder.files.items():
        fields = rockridge.file_fields(name, places.when, executable=file.executable)
        # A name without an extension keeps its dot (ECMA-119, 7.5.1).
        identifier = f"{short if '.' in short else short + '.'};1".encode()
        at = places.files[file.path]
        yield _sort_key(short), directory_record(identifier, at, places.when, folder=False, fields=fields)


def _joliet_children(folder: Folder, places: Places) -> Iterator[tuple[bytes, bytes]]:
    for name, each in folder.folders.items():
        yield joliet_name(name), _folder_record(joliet_name(name), each, places)
    for name, (_, file) in folder.files.items():
        at = places.files[file.path]
        yield joliet_name(name), directory_record(joliet_name(name), at, places.when, folder=False)


def _folder_record(name: bytes, folder: Folder, places: Places, fields: bytes = b"") -> bytes:
    return directory_record(name, places.folders[folder], places.when, folder=True, fields=fields)


def _sort_key(short: str) -> tuple[str, str]:
    stem, _, extension = short.partition(".")
    return stem.ljust(8), extension.ljust(3)


def _links(folder: Folder) -> int:
    return 2 + len(folder.folders)


def _packed(records: Sequence[bytes]) -> bytes:
    """The records in sectors; none crosses from one sector to the next."""
    done = b""
    for record in records:
        if len(done) % SECTOR + len(record) > SECTOR:
            done = padded(done)
        done += record
    return padded(done)
