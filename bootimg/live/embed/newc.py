"""cpio archives of the format newc, which the kernel unpacks as initramfs (initramfs-buffer-format.rst)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MAGICS = (b"070701", b"070702")
_HEADER = 110
_TRAILER = b"TRAILER!!!"
_TYPE, _REGULAR = 0o170000, 0o100000
_FOLDER_MODE, _FILE_MODE = 0o040755, 0o100600
_LONGEST_NAME = 4096


@dataclass(frozen=True, slots=True)
class Member:
    """A member as it is in an archive; `end` is the offset of what follows it."""

    name: bytes
    mode: int
    content: bytes
    end: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.mode & _TYPE == _REGULAR


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """An archive of files, in the order of their paths, with the folders above them.

    Byte for byte what coreos-installer writes: root's, without times, inodes counted from 0.
    """
    done, folders, number = b"", set[str](), 0
    for path in sorted(files, key=str.encode):
        for parent in _parents(path):
            if parent not in folders:
                folders.add(parent)
                done += _member(parent.encode(), number, _FOLDER_MODE, b"")
                number += 1
        done += _member(path.encode(), number, _FILE_MODE, files[path])
        number += 1
    return done + _member(_TRAILER, 0, 0, b"")


def read_archive(data: bytes) -> tuple[list[Member], bytes] | None:
    """The members of the archive that `data` begins with, and the data after it; None if it is damaged."""
    found: list[Member] = []
    at = 0
    while (member := _read_member(data, at)) is not None:
        at = member.end
        if member.name == _TRAILER:
            return found, data[at:]
        found.append(member)
    return None


def _parents(path: str) -> Iterator[str]:
    names = path.split("/")
    for count in range(1, len(names)):
        yield "/".join(names[:count])


def _member(name: bytes, inode: int, mode: int, content: bytes) -> bytes:
    numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    header = _MAGICS[0] + b"".join(b"%08x" % number for number in numbers) + name + b"\0"
    return _aligned(header) + _aligned(content)


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _read_member(data: bytes, at: int) -> Member | None:
    header = data[at : at + _HEADER]
    if len(header) < _HEADER or not header.startswith(_MAGICS):
        return None
    try:
        # int() also takes spaces, signs and underscores.
        fields = bytes.fromhex(header[6:].decode("ascii"))
    except ValueError:
        return None
    _, mode, _, _, _, _, size, _, _, _, _, name_size, _ = (
        int.from_bytes(fields[4 * index : 4 * index + 4], "big") for index in range(13)
    )
    start = _HEADER + name_size + -(_HEADER + name_size) % 4
    end = at + start + size + -size % 4
    if not 0 < name_size <= _LONGEST_NAME or at + start + size > len(data):
        return None
    # dracut-cpio pads names with zeros to align the content.
    name = data[at + _HEADER : at + _HEADER + name_size].rstrip(b"\0")
    return Member(name, mode, data[at + start : at + start + size], end)
