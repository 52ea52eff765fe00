"""Rock Ridge (IEEE P1282, version 1.10): names, modes and times beside the records of the primary tree."""

from __future__ import annotations

from bootimg.live.iso.sectors import both32

_FOLDER, _FILE = 0o040555, 0o100444
_EXECUTABLE = 0o111
# Which times follow: modification, access, attribute change.
_TIMES = 0x0E
_PX, _NM, _TF = 0x01, 0x08, 0x80
_EXTENSION = (
    b"RRIP_1991A",
    b"THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS",
    b"PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME "
    b"DESCRIPTOR FOR CONTACT INFORMATION.",
)


def file_fields(name: str, when: bytes, *, executable: bool) -> bytes:
    """The fields of a file: everybody may read it; it belongs to root."""
    return _fields(name, _FILE | (_EXECUTABLE if executable else 0), 1, when)


def folder_fields(name: str | None, links: int, when: bytes) -> bytes:
    """The fields of a folder; the records of a folder itself and of its parent have no name."""
    return _fields(name, _FOLDER, links, when)


def root_fields(links: int, when: bytes, continuation: int) -> bytes:
    """The fields of the root's own record; the sector `continuation` has the `extension_record`."""
    place = both32(continuation) + both32(0) + both32(len(extension_record()))
    return _field(b"SP", b"\xbe\xef\0") + folder_fields(None, links, when) + _field(b"CE", place)


def extension_record() -> bytes:
    """The record that says that the image has Rock Ridge."""
    lengths = bytes(len(text) for text in _EXTENSION)
    return _field(b"ER", lengths + b"\1" + b"".join(_EXTENSION))


def _fields(name: str | None, mode: int, links: int, when: bytes) -> bytes:
    present = _PX | _TF | (_NM if name is not None else 0)
    named = _field(b"NM", b"\0" + name.encode()) if name is not None else b""
    owner = both32(mode) + both32(links) + both32(0) + both32(0)
    return (
        _field(b"RR", bytes([present]))
        + named
        + _field(b"PX", owner)
        + _field(b"TF", bytes([_TIMES]) + when * 3)
    )


def _field(name: bytes, data: bytes) -> bytes:
    return name + bytes((4 + len(data), 1)) + data
