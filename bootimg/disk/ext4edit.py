"""Edits an unmounted ext4 filesystem with debugfs, and reads back each edit.

debugfs exits 0 even if its command failed, so its result is not trusted.  After the edits, content, mode,
owner and label of each file are read from the filesystem and compared.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from bootimg.disk.e2fsprogs import e2fsck_errors, fixed_time
from bootimg.errors import BootimgError

_SELINUX = "security.selinux"
_SUPERBLOCK = 1024
_MAGIC = 0xEF53
_NEEDS_RECOVERY = 0x4
_FILE, _DIRECTORY = 0o100000, 0o040000
_KIND = 0o170000


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
    """

    path: Path

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
        """The names in a folder; empty if the folder does not exist."""
        found: dict[str, Inode] = {}
        for line in self._read(f"ls -p {_quoted(folder)}").decode(errors="replace").splitlines():
            fields = line.split("/")
            if len(fields) == 8 and fields[5] not in (".", ".."):
                _, _, mode, uid, gid, name, size, _ = fields
                found[name] = Inode(int(mode, 8), int(uid), int(gid), int(size or 0))
        return found

    def inode(self, path: str) -> Inode | None:
        """The inode at `path`, with symlinks in its folder's path followed; None if it does not exist."""
        folder, _, name = path.rpartition("/")
        return self.listing(folder or "/").get(name)

    def content(self, path: str) -> bytes | None:
        """A regular file's content; None if the path is not a regular file."""
        inode = self.inode(path)
        if inode is None or not inode.is_file:
            return None
        data = self._read(f"cat {_quoted(path)}")
        if len(data) != inode.size:
            raise _damaged(f"{path} has {inode.size} bytes, but {len(data)} can be read", "")
        return data

    def label(self, path: str) -> str | None:
        """The SELinux label of the file at `path`, without the NUL that ends it on disk."""
        output = self._folder / "label"
        output.unlink(missing_ok=True)
        self._read(f"ea_get -f {output.name} {_quoted(path)} {_SELINUX}")
        value = output.read_bytes() if output.exists() else b""
        return value.rstrip(b"\0").decode(errors="surrogateescape") or None

    def apply(self, edits: Sequence[FileEdit | DirectoryEdit]) -> None:
        """Make all edits with one debugfs, then read back each; `boot-edit-failed` if one differs.

        Time stamps are the time of the filesystem's last write, so that the result depends on nothing else.
        """
        commands: list[str] = []
        for number, edit in enumerate(edits):
            commands += self._commands(number, edit)
        script = self._folder / "commands"
        script.write_text("".join(f"{command}\n" for command in commands))
        (last_write,) = struct.unpack_from("<I", self._superblock(), 0x30)
        words = ["debugfs", "-w", "-f", script.name, self.path.name]
        done = process.run(words, env=fixed_time(last_write), cwd=self._folder, timeout=120)
        for edit in edits:
            self._read_back(edit, done.stderr)

    def check_clean(self) -> None:
        """Raise `boot-filesystem-damaged` if e2fsck reports a problem."""
        if (output := e2fsck_errors(self.path)) is not None:
            raise _damaged("e2fsck reports errors", output)

    def _commands(self, number: int, edit: FileEdit | DirectoryEdit) -> list[str]:
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
            if self.inode(edit.path) is not None:
                commands.append(f"rm {quoted}")
            commands.append(f"write {source.name} {quoted}")
        fields = (("mode", f"0{mode:o}"), ("uid", "0"), ("gid", "0"))
        commands += [f"set_inode_field {quoted} {key} {value}" for key, value in fields]
        if edit.label is not None:
            value = self._folder / f"label-{number}"
            value.write_bytes(edit.label.encode(errors="surrogateescape") + b"\0")
            commands.append(f"ea_set -f {value.name} {quoted} {_SELINUX}")
        return commands

    def _read_back(self, edit: FileEdit | DirectoryEdit, stderr: bytes) -> None:
        mode = _FILE | 0o644 if isinstance(edit, FileEdit) else _DIRECTORY | 0o755
        inode = self.inode(edit.path)
        wrong = []
        if inode is None or (inode.mode, inode.uid, inode.gid) != (mode, 0, 0):
            wrong.append(f"mode and owner: {inode}")
        if isinstance(edit, FileEdit) and self.content(edit.path) != edit.content:
            wrong.append("content")
        if self.label(edit.path) != edit.label:
            wrong.append("label")
        if wrong:
            output = stderr.decode(errors="replace").strip().splitlines()[-8:]
            raise BootimgError(
                "boot-edit-failed",
                f"/boot{edit.path} differs from what was written ({', '.join(wrong)})",
                context=output,
                hint="the boot partition may be full; the base disk itself is unchanged",
            )

    def _superblock(self) -> bytes:
        with self.path.open("rb") as image:
            image.seek(_SUPERBLOCK)
            return image.read(1024).ljust(1024, b"\0")

    def _read(self, command: str) -> bytes:
        words = ["debugfs", "-R", command, self.path.name]
        return process.run(words, cwd=self._folder, timeout=120).stdout

    @property
    def _folder(self) -> Path:
        return self.path.parent


def _quoted(word: str) -> str:
    if '"' in word or "\n" in word:
        raise BootimgError(
            "boot-edit-failed",
            f"the name {word!r:.200} cannot be given to debugfs",
            hint="no file of a boot partition has such a name: get or build the image again",
        )
    return f'"{word}"'


def _damaged(what: str, output: str) -> BootimgError:
    return BootimgError(
        "boot-filesystem-damaged",
        f"the boot filesystem is damaged: {what}",
        context=output.strip().splitlines()[-12:],
        hint="build the base disk again with --force",
    )
