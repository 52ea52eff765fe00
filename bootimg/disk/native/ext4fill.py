"""Fills an empty ext4 with entries by one debugfs, reads all of it back, and has e2fsck check it.

debugfs exits 0 even if a command failed, so its result is not trusted.  It runs in a folder of its own and
gets file names without a path: e2fsprogs would read parts of some paths as options.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bootimg import process
from bootimg.disk.e2fsprogs import PACKAGE, e2fsck_errors, fixed_time
from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.native.content import place_content, read_content
from bootimg.disk.native.ext4pin import pinning, renew_backups
from bootimg.disk.native.ext4read import TYPES, require_equal
from bootimg.disk.zipl.blocks import BootPartition
from bootimg.errors import BootimgError
from bootimg.sysroot.entries import SELINUX, Entry, Kind
from bootimg.sysroot.unsupported import NativeUnsupportedError

LOST_FOUND = b"lost+found"
_IMAGE = "image"
_SECTOR = 512
# debugfs reads a line into a buffer of stdio's size, of which a quoted path must leave room for the command.
_LONGEST_PATH = 4096


def fill_ext4(image: Path, entries: Sequence[Entry], *, epoch: int, dense: bool = False) -> None:
    """Write the entries to a file system fresh from `make_ext4`; with `dense` no file has holes.

    NativeUnsupportedError names what debugfs cannot write, before anything is written.  Raises
    `boot-edit-failed` if something reads back different, `boot-filesystem-damaged` if e2fsck complains.
    """
    _require_writable(entries)
    with tempfile.TemporaryDirectory(dir=image.parent, prefix=f".{image.name}.") as name:
        folder = Path(name)
        (folder / _IMAGE).symlink_to(image.absolute())
        script = _Script(folder, dense, [*pinning(image)])
        for entry in entries:
            script.add(entry, epoch)
        stderr = _debugfs(folder, script.lines, epoch)
        if dense:
            _fill_files(folder, entries)
        renew_backups(image)
        _check(folder, stderr)
        require_equal(folder, _IMAGE, entries, stderr)


def _require_writable(entries: Sequence[Entry]) -> None:
    for entry in entries:
        shown = entry.path.decode(errors="replace")[-200:]
        if len(entry.path) > _LONGEST_PATH or any(set(each) & set(b'"\n\r') for each in _words(entry)):
            raise NativeUnsupportedError(f"debugfs cannot write the name /boot/{shown}")
        if entry.kind not in TYPES or any(name != SELINUX for name, _ in entry.xattrs):
            raise NativeUnsupportedError(f"/boot/{shown} is not a plain file")


def _words(entry: Entry) -> Iterator[bytes]:
    yield entry.path
    yield entry.target


@dataclass
class _Script:
    """The commands, and the files beside it that they read."""

    folder: Path
    dense: bool
    lines: list[bytes] = field(default_factory=list)
    _labels: dict[bytes, str] = field(default_factory=dict)

    def add(self, entry: Entry, epoch: int) -> None:
        """The commands for one entry: most act in the current folder, by a name without slashes."""
        parent, _, name = (b"/" + entry.path).rpartition(b"/")
        quoted = b'"%s"' % (name or b"/")
        self.lines.append(b'cd "%s"' % (parent or b"/"))
        if entry.path not in (b"", LOST_FOUND):
            self.lines.append(self._making(entry, quoted))
        fields = {
            "mode": f"0{TYPES[entry.kind] | entry.mode:o}",
            "uid": str(entry.uid),
            "gid": str(entry.gid),
        }
        if entry.mtime != epoch * 10**9:
            fields["mtime"] = f"@{entry.mtime // 10**9}"
        self.lines += [b"set_inode_field %s %s %s" % (quoted, key.encode(), value.encode())
                       for key, value in fields.items()]  # fmt: skip
        for key, value in entry.xattrs:
            self.lines.append(b"ea_set -f %s %s %s" % (self._label(value).encode(), quoted, key))

    def _making(self, entry: Entry, quoted: bytes) -> bytes:
        if entry.kind is Kind.DIRECTORY:
            return b"mkdir " + quoted
        if entry.kind is Kind.SYMLINK:
            return b'symlink %s "%s"' % (quoted, entry.target)
        source = f"content-{len(self.lines)}"
        if self.dense:
            # debugfs makes holes of blocks with zeros.
            (self.folder / source).write_bytes(b"\xff" * entry.size)
        else:
            place_content(entry, self.folder / source)
        return b"write %s %s" % (source.encode(), quoted)

    def _label(self, value: bytes) -> str:
        """The file with a label; a few labels are those of all files."""
        if value not in self._labels:
            self._labels[value] = f"label-{len(self._labels)}"
            (self.folder / self._labels[value]).write_bytes(value)
        return self._labels[value]


def _debugfs(folder: Path, lines: Sequence[bytes], epoch: int) -> bytes:
    program = process.require("debugfs", packages=PACKAGE)
    (folder / "commands").write_bytes(b"".join(line + b"\n" for line in lines))
    argv: list[process.Argument] = [program, "-w", "-f", "commands", _IMAGE]
    return process.run(argv, cwd=folder, env=fixed_time(epoch), timeout=600).stderr


def _fill_files(folder: Path, entries: Sequence[Entry]) -> None:
    """Write the content of the files into the blocks that they have."""
    partition = BootPartition(Ext4Image(folder / _IMAGE), 0, _SECTOR)
    for entry in entries:
        if entry.kind is Kind.FILE and entry.size:
            partition.write(partition.runs(f"/{os.fsdecode(entry.path)}"), read_content(entry))


def _check(folder: Path, stderr: bytes) -> None:
    if (output := e2fsck_errors(folder / _IMAGE)) is not None:
        raise BootimgError(
            "boot-filesystem-damaged",
            "the boot filesystem is damaged: e2fsck reports errors",
            context=[
                *stderr.decode(errors="replace").strip().splitlines()[-8:],
                *output.strip().splitlines()[-12:],
            ],
            hint="please report it; `--deploy appliance` makes the disk another way",
        )
