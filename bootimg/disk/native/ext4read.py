"""Reads an ext4 back with debugfs and compares it with the entries that it was filled with."""

from __future__ import annotations

import filecmp
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bootimg import process
from bootimg.disk.native.content import place_content
from bootimg.errors import BootimgError
from bootimg.sysroot.entries import SELINUX, Entry, Kind

TYPES = {Kind.FILE: stat.S_IFREG, Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}
_COMMAND = re.compile(rb'debugfs: +ls -p "(.*)"$')
Facts = tuple[int, int, int]
"""Mode with the type bits, owner and group."""


def require_equal(folder: Path, image: str, entries: Sequence[Entry], stderr: bytes) -> None:
    """Raise `boot-edit-failed` where the file system is not the entries; `folder` is for scratch files."""
    facts = _read(folder, image, entries)
    wrong = sorted({*_names(entries, facts), *_differing(folder, entries, facts)})
    if wrong:
        raise BootimgError(
            "boot-edit-failed",
            f"/boot/{wrong[0]} differs from what was written, and {len(wrong) - 1} other files",
            context=stderr.decode(errors="replace").strip().splitlines()[-8:],
            hint="the boot partition may be full; `--deploy own` makes the disk another way",
        )


def _read(folder: Path, image: str, entries: Sequence[Entry]) -> Mapping[bytes, Facts]:
    """Owners and modes; content and symlinks go to the folder `tree`, labels to files `read-N`."""
    (folder / "tree").mkdir()
    commands = [b"rdump / tree"]
    for number, entry in enumerate(entries):
        path = b"/" + entry.path
        if entry.kind is Kind.DIRECTORY:
            commands.append(b'ls -p "%s"' % path)
        commands.append(b'ea_get -f read-%d "%s" %s' % (number, path, SELINUX))
    (folder / "reading").write_bytes(b"".join(command + b"\n" for command in commands))
    done = process.run(["debugfs", "-f", "reading", image], cwd=folder, timeout=600)
    return dict(_listed(done.stdout))


def _listed(output: bytes) -> Iterator[tuple[bytes, Facts]]:
    """What `ls -p` prints after each command: /inode/mode/uid/gid/name/size/."""
    here = b""
    for line in output.split(b"\n"):
        if found := _COMMAND.match(line):
            here = found[1].strip(b"/")
            continue
        fields = line.split(b"/")
        # An entry without a name is free space of the directory.
        if len(fields) != 8 or fields[0] or fields[5] in (b"", b".."):
            continue
        _, _, mode, uid, gid, name, _, _ = fields
        path = here if name == b"." else b"/".join(filter(None, (here, name)))
        yield path, (int(mode, 8), int(uid), int(gid))


def _names(entries: Sequence[Entry], facts: Mapping[bytes, Facts]) -> Iterator[str]:
    for path in {entry.path for entry in entries} ^ facts.keys():
        yield path.decode(errors="replace")


def _differing(folder: Path, entries: Sequence[Entry], facts: Mapping[bytes, Facts]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        wanted = (TYPES[entry.kind] | entry.mode, entry.uid, entry.gid)
        label = folder / f"read-{number}"
        # ea_get makes the file also if there is no such attribute; a label is never empty.
        value = label.read_bytes() if label.exists() else b""
        labels = ((SELINUX, value),) if value else ()
        same = (facts.get(entry.path), labels) == (wanted, entry.xattrs)
        if not (same and _same_content(folder, entry)):
            yield entry.path.decode(errors="replace")


def _same_content(folder: Path, entry: Entry) -> bool:
    path = folder / "tree" / os.fsdecode(entry.path)
    if entry.kind is Kind.SYMLINK:
        # Path.readlink would drop a slash at the end.
        return path.is_symlink() and os.readlink(os.fsencode(path)) == entry.target  # noqa: PTH115
    if entry.kind is Kind.DIRECTORY:
        return path.is_dir() and not path.is_symlink()
    if path.is_symlink() or not path.is_file():
        return False
    expected = folder / "expected"
    place_content(entry, expected)
    try:
        return filecmp.cmp(expected, path, shallow=False)
    finally:
        expected.unlink()
