"""Edits an unmounted ext4 filesystem with debugfs, and reads back each edit.

debugfs exits 0 even if its command failed, so its result is not trusted.  After the edits, content, mode,
owner and label of each file are read from the filesystem and compared.  The filesystem itself is not trusted
either: debugfs runs with limits, and one run reads all the files that are wanted.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bootimg import process
from bootimg.disk.e2fsprogs import PACKAGE, e2fsck_errors, fixed_time
from bootimg.errors import BootimgError
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import TEXT_LIMIT
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, run_limited

_SELINUX = "security.selinux"
_SUPERBLOCK = 1024
_MAGIC = 0xEF53
_NEEDS_RECOVERY = 0x4
_FILE, _DIRECTORY = 0o100000, 0o040000
_KIND = 0o170000
# A line of `ls -p`: /inode/mode/uid/gid/name/size/
_LISTED = re.compile(r"/\d+/([0-7]+)/(\d+)/(\d+)/([^/]+)/(\d*)/")
_SECONDS = 30
_LISTING = ProcessLimits(seconds=_SECONDS, written=16 * MIB)


@dataclass(frozen=True, slots=True)
class Inode:
    """A file's data from a directory listing; `mode` has the type bits."""

    mode: int
    uid: int
    gid: int
    size: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.mode & _KIND == _FILE


@dataclass(frozen=True, slots=True)
class Found:
    """What is at a path: None is what it does not have.  Only regular files have a `content`."""

    inode: Inode | None
    content: bytes | None
    label: str | None


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A regular file to write, with owner root and mode 0644.  `label` None: no security.selinux."""

    path: str
    content: bytes
    label: str | None


@dataclass(frozen=True, slots=True)
class DirectoryEdit:
    """A directory to make, with owner root and mode 0755."""

    path: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Ext4Image:
    """A filesystem image in a file; files for debugfs go to its folder.

    The programs run in that folder and get only file names, no paths.  e2fsprogs would read the part of a
    path after `?` as options and a path with `=` as a label; debugfs splits commands at blanks and quotes.
    Their CPU time is charged to `budget`: `image-over-budget`.
    """

    path: Path
    budget: Budget = field(default_factory=Budget, compare=False, repr=False)

    def check_usable(self) -> None:
        """Refuse a file that is not an ext4 filesystem, and one whose journal must still be replayed."""
        block = self._superblock()
        (magic,) = struct.unpack_from("<H", block, 0x38)
        (incompat,) = struct.unpack_from("<I", block, 0x60)
        if magic != _MAGIC:
            raise BootimgError(
                "boot-partition-unreadable",
                "the boot partition is not an ext4 filesystem",
                hint="the image is not a CoreOS image or is damaged: get or build it again",
            )
        if incompat & _NEEDS_RECOVERY:
            raise _damaged("its journal has not been replayed", "")

    def listing(self, folder: str) -> Mapping[str, Inode]:
        """The names in a folder; empty if the folder does not exist.  `boot-partition-oversized`."""
        output = self._folder / "listing"
        self._run(["-R", f"ls -p {_quoted(folder)}"], output, _LISTING)
        found: dict[str, Inode] = {}
        for line in output.read_text(errors="replace").split("\n"):
            self.budget.name(len(line), folder)
            match = _LISTED.fullmatch(line)
            if match and match[4] not in (".", ".."):
                mode, uid, gid, name, size = match.groups()
                found[name] = Inode(int(mode, 8), int(uid), int(gid), int(size or 0))
        return found

    def read(self, paths: Iterable[str], limit: int = TEXT_LIMIT) -> Mapping[str, Found]:
        """What is at each path, with symlinks in its folder's path followed.

        Errors: `boot-partition-oversized` for a file of more than `limit` bytes, `boot-filesystem-damaged`.
        """
        wanted = dict.fromkeys(paths)
        folders = {folder: self.listing(folder or "/") for folder in {_split(path)[0] for path in wanted}}
        inodes = {path: folders[_split(path)[0]].get(_split(path)[1]) for path in wanted}
        for path, inode in inodes.items():
            if inode and inode.is_file and inode.size > limit:
                raise oversized(f"{path} has {inode.size} bytes, and bootimg reads at most {limit}")
        commands = []
        for number, (path, inode) in enumerate(inodes.items()):
            if inode and inode.is_file:
                commands.append(f"dump {_quoted(path)} read-{number}")
            commands.append(f"ea_get -f xattr-{number} {_quoted(path)} {_SELINUX}")
        self._script(commands, ProcessLimits(seconds=_SECONDS, written=limit))
        return {path: self._found(path, number, inode) for number, (path, inode) in enumerate(inodes.items())}

    def extents(self, path: str) -> list[str]:
        """debugfs's lines for the extents of the file at `path`, after the line with the columns' names."""
        output = self._folder / "extents"
        self._run(["-R", f"dump_extents -l {_quoted(path)}"], output, _LISTING)
        return output.read_text(errors="replace").splitlines()[1:]

    def inode(self, path: str) -> Inode | None:
        """The inode at `path`; None if it does not exist."""
        return self.read([path])[path].inode

    def content(self, path: str) -> bytes | None:
        """A regular file's content; None if the path is not a regular file."""
        return self.read([path])[path].content

    def label(self, path: str) -> str | None:
        """The SELinux label of the file at `path`, without the NUL that ends it on disk."""
        return self.read([path])[path].label

    def apply(self, edits: Sequence[FileEdit | DirectoryEdit]) -> None:
        """Make all edits with one debugfs, then read back each; `boot-edit-failed` if one differs.

        Time stamps are the time of the filesystem's last write, so that the result depends on nothing else.
        """
        there = self.read(edit.path for edit in edits)
        commands: list[str] = []
        for number, edit in enumerate(edits):
            commands += self._commands(number, edit, exists=there[edit.path].inode is not None)
        (last_write,) = struct.unpack_from("<I", self._superblock(), 0x30)
        # The filesystem is larger than any file that is read.
        limits = ProcessLimits(seconds=_SECONDS, written=None)
        said = self._script(commands, limits, write=True, env=fixed_time(last_write))
        largest = max(len(edit.content) for edit in edits if isinstance(edit, FileEdit))
        found = self.read((edit.path for edit in edits), max(largest, TEXT_LIMIT))
        for edit in edits:
            _require_edited(edit, found[edit.path], said)

    def check_clean(self) -> None:
        """Raise `boot-filesystem-damaged` if e2fsck reports a problem."""
        if (output := e2fsck_errors(self.path, self.budget)) is not None:
            raise _damaged("e2fsck reports errors", output)

    def _commands(self, number: int, edit: FileEdit | DirectoryEdit, *, exists: bool) -> list[str]:
        folder, _, name = edit.path.rpartition("/")
        quoted = _quoted(name)
        # `write` accepts only a name in the current folder, and refuses a file that exists.
        commands = [f"cd {_quoted(folder or '/')}"]
        if isinstance(edit, DirectoryEdit):
            mode = _DIRECTORY | 0o755
            commands.append(f"mkdir {quoted}")
        else:
            mode = _FILE | 0o644
            source = self._folder / f"content-{number}"
            source.write_bytes(edit.content)
            if exists:
                commands.append(f"rm {quoted}")
            commands.append(f"write {source.name} {quoted}")
        fields = (("mode", f"0{mode:o}"), ("uid", "0"), ("gid", "0"))
        commands += [f"set_inode_field {quoted} {key} {value}" for key, value in fields]
        if edit.label is not None:
            value = self._folder / f"label-{number}"
            value.write_bytes(edit.label.encode(errors="surrogateescape") + b"\0")
            commands.append(f"ea_set -f {value.name} {quoted} {_SELINUX}")
        return commands

    def _superblock(self) -> bytes:
        with self.path.open("rb") as image:
            image.seek(_SUPERBLOCK)
            return image.read(1024).ljust(1024, b"\0")

    def _found(self, path: str, number: int, inode: Inode | None) -> Found:
        content, label = self._folder / f"read-{number}", self._folder / f"xattr-{number}"
        data = content.read_bytes() if content.exists() else None
        if inode and inode.is_file and (data is None or len(data) != inode.size):
            raise _damaged(f"{path} has {inode.size} bytes, but {len(data or b'')} can be read", "")
        # ea_get makes the file also if there is no such attribute.
        value = label.read_bytes() if label.exists() else b""
        for used in (content, label):
            used.unlink(missing_ok=True)
        return Found(inode, data, value.rstrip(b"\0").decode(errors="surrogateescape") or None)

    def _script(
        self,
        commands: Sequence[str],
        limits: ProcessLimits,
        *,
        write: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run the commands in one debugfs; returns what it said on stderr."""
        script = self._folder / "commands"
        script.write_text("".join(f"{command}\n" for command in commands))
        words = [*(["-w"] if write else []), "-f", script.name]
        return self._run(words, self._folder / "said", limits, env)

    def _run(
        self, words: Sequence[str], output: Path, limits: ProcessLimits, env: Mapping[str, str] | None = None
    ) -> bytes:
        program = process.require("debugfs", packages=PACKAGE)
        try:
            argv: list[process.Argument] = [program, *words, self.path.name]
            folder = self._folder
            done = run_limited(argv, output, limits, cwd=folder, env=env, budget=self.budget)
        except OverLimitError as error:
            raise oversized(f"debugfs cannot read it: {error}") from None
        if done.returncode:
            raise _damaged("debugfs fails", done.stderr.decode(errors="replace"))
        return done.stderr

    @property
    def _folder(self) -> Path:
        return self.path.parent


def _require_edited(edit: FileEdit | DirectoryEdit, found: Found, said: bytes) -> None:
    mode = _FILE | 0o644 if isinstance(edit, FileEdit) else _DIRECTORY | 0o755
    inode, wrong = found.inode, []
    if inode is None or (inode.mode, inode.uid, inode.gid) != (mode, 0, 0):
        wrong.append(f"mode and owner: {inode}")
    if isinstance(edit, FileEdit) and found.content != edit.content:
        wrong.append("content")
    if found.label != edit.label:
        wrong.append("label")
    if wrong:
        raise BootimgError(
            "boot-edit-failed",
            f"/boot{edit.path} differs from what was written ({', '.join(wrong)})",
            context=said.decode(errors="replace").strip().splitlines()[-8:],
            hint="the boot partition may be full; the base disk itself is unchanged",
        )


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name


def _quoted(word: str) -> str:
    if '"' in word or "\n" in word:
        raise BootimgError(
            "boot-edit-failed",
            f"the name {word!r:.200} cannot be given to debugfs",
            hint="no file of a boot partition has such a name: get or build the image again",
        )
    return f'"{word}"'


def oversized(what: str) -> BootimgError:
    """The error for a boot partition that holds more than bootimg reads."""
    return BootimgError(
        "boot-partition-oversized",
        f"the boot partition holds more than bootimg reads: {what}",
        hint="no CoreOS image has such a partition: get or build the image again",
    )


def _damaged(what: str, output: str) -> BootimgError:
    return BootimgError(
        "boot-filesystem-damaged",
        f"the boot filesystem is damaged: {what}",
        context=output.strip().splitlines()[-12:],
        hint="build the base disk again with --force",
    )
