"""Files of the commit that a bootloader has on the ESP or on /boot, as `cp` leaves them there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bootimg.sysroot.commit import Commit, Folder
from bootimg.sysroot.draft import file_entry
from bootimg.sysroot.entries import Entry, directory
from bootimg.sysroot.objects import FileObject
from bootimg.sysroot.unsupported import NativeUnsupportedError


def payload(
    commit: Commit, folder: str, target: str, now: int, *, wanted: Callable[[str], bool] = lambda _: True
) -> list[Entry]:
    """Copies of what is below a folder of the commit, below `target`, the folder itself included.

    They are root's, without attributes.  `wanted` chooses files by their path below the folder.
    """
    found = commit.folder(folder)
    if found is None:
        raise NativeUnsupportedError(f"the commit has no directory /{folder}")
    entries = [directory(target, 0o755, now)]
    for path, each in commit.walk(found):
        if isinstance(each, Folder):
            entries.append(directory(f"{target}/{path}", 0o755, now))
        elif wanted(path):
            entries.append(_copy(f"{target}/{path}", each, now))
    return entries


def _copy(path: str, file: FileObject, now: int) -> Entry:
    if file.target is not None:
        raise NativeUnsupportedError(f"the bootloader's file {path} is a symlink")
    return replace(file_entry(path, file, now), uid=0, gid=0, mode=file.mode & 0o755, xattrs=())
