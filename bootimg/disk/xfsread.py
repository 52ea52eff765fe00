"""Reads small files of an unmounted XFS filesystem with xfs_db.

xfs_db exits 0 even if its command failed, and its output is for people.  So an unexpected line is never
ignored: it raises `root-filesystem-unreadable`.  The filesystem is untrusted: xfs_db runs with limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import TEXT_LIMIT
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, read_limited

_CHUNK = 1 << 20
_LIMITS = ProcessLimits(seconds=30, written=16 * MIB)
_NAME = re.compile(r"^\d+\s+\d+\s+(\w+)\s+0x[0-9a-f]+\s+\d+\s(.*) \(\w+\)$")
_FIELD = re.compile(r"^(?:core\.)?(\w+) = (\S+)")
_EXTENT = re.compile(r"^data offset (\d+) startblock \d+ \((\d+)/(\d+)\) count (\d+) flag 0$")
# The message on stdout for a path that does not exist; the exit status is then 1.
_ABSENT = b": No such file or directory\n"
_REGULAR = 0o100000


@dataclass(frozen=True, slots=True)
class XfsImage:
    """A filesystem in a file that nothing changes; what xfs_db takes is charged to `budget`."""

    path: Path
    budget: Budget = field(default_factory=Budget, compare=False, repr=False)
    _listings: dict[str, dict[str, str]] = field(default_factory=dict, init=False, compare=False, repr=False)
    _geometry: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)

    def listing(self, folder: str) -> dict[str, str]:
        """The names in a folder and their types in xfs_db's words (`regular`, `directory`, `symlink`).

        Empty if the folder does not exist.
        """
        if folder not in self._listings:
            self._listings[folder] = self._listed(folder)
        return self._listings[folder]

    def _listed(self, folder: str) -> dict[str, str]:
        found: dict[str, str] = {}
        done = self._call(f"path {folder}", "ls")
        if done.returncode and _ABSENT in done.stdout:
            return found
        for line in _lines(done):
            self.budget.name(len(line), folder)
            match = _NAME.match(line)
            if match and match[2] not in (".", ".."):
                found[match[2]] = match[1]
        return found

    def content(self, path: str) -> bytes | None:
        """A regular file's content; None if its folder has no regular file of that name.

        Raises `root-filesystem-unreadable` for one of more than TEXT_LIMIT bytes, or not complete.
        """
        size = self._size(path, TEXT_LIMIT)
        if size is None:
            return None
        output = BytesIO(bytes(size))
        self._write(path, size, output)
        return output.getvalue()

    def copy(self, path: str, target: Path, limit: int) -> bool:
        """Copy a regular file of at most `limit` bytes; False if its folder has no regular file of that name.

        The errors are those of `content`.
        """
        size = self._size(path, limit)
        if size is None:
            return False
        with target.open("wb") as output:
            self._write(path, size, output)
        return True

    def _size(self, path: str, limit: int) -> int | None:
        folder, _, name = path.rpartition("/")
        if self.listing(folder or "/").get(name) != "regular":
            return None
        fields = self._fields(f"path {path}", "print core.mode core.size core.format")
        size, mode = int(fields["size"]), int(fields["mode"], 8)
        if mode & 0o170000 != _REGULAR or size > limit:
            raise _unreadable(f"{path} has {size} bytes and the mode {mode:o}")
        return size

    def _write(self, path: str, size: int, output: BinaryIO) -> None:
        """Write a file's extents, which must have all of its `size` bytes."""
        if not self._geometry:
            self._geometry.update(self._fields("sb 0", "print blocksize agblocks"))
        block, group = (int(self._geometry[name]) for name in ("blocksize", "agblocks"))
        covered = 0
        with self.path.open("rb") as image:
            for line in self._run(f"path {path}", "bmap"):
                match = _EXTENT.match(line)
                if not match:
                    raise _unreadable(f"{path} is laid out as {line!r}")
                offset, ag, start, count = map(int, match.groups())
                image.seek((ag * group + start) * block)
                output.seek(offset * block)
                amount = max(0, min(count * block, size - offset * block))
                # Without this a million extents could have one place.
                if covered + amount > size:
                    raise _unreadable(f"{path} has {size} bytes, but more are laid out")
                for length in _pieces(amount):
                    covered += output.write(image.read(length))
        if covered != size or output.tell() > size:
            raise _unreadable(f"{path} has {size} bytes, but {covered} can be read")

    def _fields(self, *commands: str) -> dict[str, str]:
        found = {match[1]: match[2] for line in self._run(*commands) if (match := _FIELD.match(line))}
        if len(found) < 2:
            raise _unreadable(f"`{'; '.join(commands)}` has no answer")
        return found

    def _run(self, *commands: str) -> Iterator[str]:
        return _lines(self._call(*commands))

    def _call(self, *commands: str) -> process.Completed:
        words = [word for command in commands for word in ("-c", command)]
        program = process.require("xfs_db", packages="xfsprogs")
        argv: list[process.Argument] = [program, "-r", *words, self.path.absolute()]
        try:
            return read_limited(argv, self.path.parent, _LIMITS, budget=self.budget)
        except OverLimitError as error:
            raise _unreadable(f"xfs_db: {error}") from None


def _lines(done: process.Completed) -> Iterator[str]:
    if done.returncode:
        raise _unreadable(done.stderr.decode(errors="replace").strip().partition("\n")[0][:200])
    return iter(done.stdout.decode(errors="replace").splitlines())


def _pieces(length: int) -> Iterator[int]:
    yield from (min(_CHUNK, length - at) for at in range(0, length, _CHUNK))


def _unreadable(why: str) -> BootimgError:
    return BootimgError(
        "root-filesystem-unreadable",
        f"the root filesystem cannot be read: {why}",
        hint="it may have features that are newer than this machine's xfsprogs, or be damaged",
    )
