"""Reads an ext4 back with debugfs and compares it with the entries that it was filled with."""

from __future__ import annotations

import filecmp
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bootimg import process
from bootimg.disk.native.content import place_content
from bootimg.disk.native.ext4list import Listed, listed, ls_command
from bootimg.errors import BootimgError
from bootimg.sysroot.entries import SELINUX, Entry, Kind

TYPES = {Kind.FILE: stat.S_IFREG, Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}


def require_equal(folder: Path, image: str, entries: Sequence[Entry], stderr: bytes) -> None:
    """Raise `boot-edit-failed` where the file system is not the entries; `folder` is for scratch files.

    `stderr` is what debugfs said when it wrote them.
    """
    facts, said = _read(folder, image, entries)
    wrong = sorted({*_names(entries, facts), *_differing(folder, entries, facts)})
    if wrong:
        raise BootimgError(
            "boot-edit-failed",
            f"/boot/{wrong[0]} differs from what was written, and {len(wrong) - 1} other files",
            context=[
                line
                for text in (stderr, said)
                for line in text.decode(errors="replace").strip().splitlines()[-8:]
            ],
            hint="the boot partition may be full; `--deploy appliance` makes the disk another way",
        )


def _read(folder: Path, image: str, entries: Sequence[Entry]) -> tuple[Mapping[bytes, Listed], bytes]:
    """Owners and modes, and debugfs's messages.

    Content and symlinks go to the folder `tree`, labels to files `read-N`.
    """
    (folder / "tree").mkdir()
    commands = [b"rdump / tree"]
    for number, entry in enumerate(entries):
        path = b"/" + entry.path
        if entry.kind is Kind.DIRECTORY:
            commands.append(ls_command(entry.path))
        commands.append(b'ea_get -f read-%d "%s" %s' % (number, path, SELINUX))
    (folder / "reading").write_bytes(b"".join(command + b"\n" for command in commands))
    done = process.run(["debugfs", "-f", "reading", image], cwd=folder, timeout=600)
    return dict(listed(done.stdout)), done.stderr


def _names(entries: Sequence[Entry], facts: Mapping[bytes, Listed]) -> Iterator[str]:
    for path in {entry.path for entry in entries} ^ facts.keys():
        yield path.decode(errors="replace")


def _differing(folder: Path, entries: Sequence[Entry], facts: Mapping[bytes, Listed]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        wanted = (TYPES[entry.kind] | entry.mode, entry.uid, entry.gid)
        label = folder / f"read-{number}"
        # ea_get makes the file also if there is no such attribute; a label is never empty.
        value = label.read_bytes() if label.exists() else b""
        labels = ((SELINUX, value),) if value else ()
        found = facts.get(entry.path)
        same = found is not None and (found[:3], labels) == (wanted, entry.xattrs)
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
