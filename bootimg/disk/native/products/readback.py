"""Reads what a program of the layer has left on the file systems of a scratch disk.

It is untrusted: the file systems are checked before they are read, names and sizes are limited, and names are
never used as paths of this machine.
"""

from __future__ import annotations

import re
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bootimg import process
from bootimg.disk.e2fsprogs import PACKAGE, e2fsck_errors
from bootimg.disk.extents import FileSource, copy_sparse
from bootimg.disk.native.esp import fsck_errors
from bootimg.disk.native.ext4fill import LOST_FOUND
from bootimg.disk.native.ext4list import Listed, listed, ls_command
from bootimg.disk.native.mtools import run_mtools
from bootimg.sizes import MIB
from bootimg.sysroot.entries import Entry, Kind, directory, text
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, read_limited

_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9._+@-]{0,254}")
_MOST_FILES, _MOST_BYTES, _DEPTH = 4096, 64 * MIB, 8
_IMAGE = "image"
_LIMITS = ProcessLimits(seconds=60, written=_MOST_BYTES)


def boot_entries(
    disk: Path, offset: int, length: int, *, scratch: Path, made: Collection[str] = ()
) -> list[Entry]:
    """The files of the ext4 at `offset` of the disk, but for the directories `made` by the recipe.

    NativeUnsupportedError names what is neither a plain file nor a directory.
    """
    with _file_system(disk, offset, length, scratch) as folder:
        _require_sound("/boot", e2fsck_errors(folder / _IMAGE))
        known = {b"", LOST_FOUND, *(each.encode() for each in made)}
        found = {path: each for path, each in _listing(folder).items() if path not in known}
        contents = _contents(folder, found)
        return [
            Entry(
                path=path,
                kind=Kind.DIRECTORY if stat.S_ISDIR(each.mode) else Kind.FILE,
                mode=stat.S_IMODE(each.mode),
                uid=each.uid,
                gid=each.gid,
                size=len(contents.get(path, b"")),
                content=contents.get(path, b""),
            )
            for path, each in sorted(found.items())
        ]


def esp_entries(disk: Path, offset: int, length: int, *, scratch: Path) -> list[Entry]:
    """The files of the FAT at `offset` of the disk."""
    with _file_system(disk, offset, length, scratch) as folder:
        _require_sound("the ESP", fsck_errors(folder / _IMAGE))
        lines = run_mtools(["mdir", "-/", "-a", "-b", "-i", _IMAGE, "::/"], folder).split(b"\n")
        entries, left = [], _MOST_BYTES
        for number, line in enumerate(sorted(filter(None, lines))):
            if not line.startswith(b"::/"):
                raise _strange("the ESP", line, "has an unusual name")
            path = _checked(line.removeprefix(b"::/").rstrip(b"/"), "the ESP")
            _require_few("the ESP", number + 1, left)
            if line.endswith(b"/"):
                entries.append(directory(path, 0o755, 0))
                continue
            run_mtools(["mcopy", "-n", "-i", _IMAGE, f"::/{path}", f"content-{number}"], folder)
            data = (folder / f"content-{number}").read_bytes()
            left -= len(data)
            entries.append(text(path, data, 0))
        _require_few("the ESP", len(entries), left)
        return entries


@contextmanager
def _file_system(disk: Path, offset: int, length: int, scratch: Path) -> Iterator[Path]:
    """A folder with a copy of the file system: debugfs and mtools get names without a path."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        with FileSource(disk) as source:
            copy_sparse(source, Path(name, _IMAGE), offset=offset, length=length)
        yield Path(name)


def _listing(folder: Path) -> Mapping[bytes, Listed]:
    """All names of the ext4, a level of directories at a time."""
    found: dict[bytes, Listed] = {}
    level = [b""]
    while level:
        lines = dict(listed(_debugfs(folder, [ls_command(path) for path in level])))
        # A directory lists itself too.
        below = {path: lines[path] for path in sorted(lines.keys() - found.keys() - set(level))}
        for path, each in below.items():
            if path != LOST_FOUND:
                _checked(path, "/boot")
            if not stat.S_ISREG(each.mode) and not stat.S_ISDIR(each.mode):
                raise _strange("/boot", path, "is no plain file")
        found |= below
        _require_few("/boot", len(found), _MOST_BYTES - sum(each.size for each in found.values()))
        level = [path for path, each in below.items() if stat.S_ISDIR(each.mode)]
    return found


def _contents(folder: Path, found: Mapping[bytes, Listed]) -> Mapping[bytes, bytes]:
    files = {path: each for path, each in found.items() if stat.S_ISREG(each.mode)}
    _debugfs(folder, [b"dump <%d> content-%d" % (each.inode, each.inode) for each in files.values()])
    contents = {path: (folder / f"content-{each.inode}").read_bytes() for path, each in files.items()}
    for path, each in files.items():
        if len(contents[path]) != each.size:
            raise _strange("/boot", path, "cannot be read")
    return contents


def _debugfs(folder: Path, commands: list[bytes]) -> bytes:
    program = process.require("debugfs", packages=PACKAGE)
    (folder / "commands").write_bytes(b"".join(command + b"\n" for command in commands))
    try:
        done = read_limited([program, "-f", "commands", _IMAGE], folder, _LIMITS, cwd=folder)
    except OverLimitError as error:
        raise NativeUnsupportedError(
            f"the layer's bootupd leaves a /boot that cannot be read: {error}"
        ) from None
    if done.returncode:
        raise process.failure(done)
    return done.stdout


def _checked(path: bytes, where: str) -> str:
    """The path, of plain names only."""
    names = path.split(b"/")
    if len(names) > _DEPTH or not all(_NAME.fullmatch(name) for name in names):
        raise _strange(where, path, "has an unusual name")
    return path.decode()


def _require_few(where: str, count: int, left: int) -> None:
    if count > _MOST_FILES or left < 0:
        raise NativeUnsupportedError(f"the layer's bootupd leaves more on {where} than a bootloader has")


def _require_sound(where: str, errors: str | None) -> None:
    if errors is not None:
        last = errors.strip().splitlines()[-1:]
        raise NativeUnsupportedError(f"the layer's bootupd leaves {where} damaged: {' '.join(last)[:200]}")


def _strange(where: str, path: bytes, what: str) -> NativeUnsupportedError:
    shown = path.decode(errors="replace")[-200:]
    return NativeUnsupportedError(f"the layer's bootupd leaves {shown!r} on {where}, which {what}")
