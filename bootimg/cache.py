"""The cache: where what is slow to make is kept, by content.

Everything in it can be deleted at any time between runs; `bootimg cache gc` does.  Two runs may
share it: what is made appears by rename, and `locked` serialises the making of one thing.

What is in it is believed, so nobody else may write there: see `require_trusted`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import Opening, make_folder, open_own
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events

_ELSEWHERE = "give another folder with --cache or BOOTIMG_CACHE"
_GROUP, _OTHERS = 0o020, 0o002


def default_root() -> Path:
    """$BOOTIMG_CACHE, else bootimg's folder in the XDG cache; `cache-place-unknown` without a home."""
    if root := os.environ.get("BOOTIMG_CACHE"):
        return Path(root)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "bootimg"
    try:
        return Path("~/.cache/bootimg").expanduser()
    except RuntimeError:
        raise BootimgError(
            "cache-place-unknown",
            f"there is no place for the cache: HOME is not set, and user {os.getuid()} has no home folder",
            hint="say where with --cache or BOOTIMG_CACHE",
            exit_code=ExitCode.ENVIRONMENT,
        ) from None


def require_trusted(folder: Path) -> None:
    """`cache-untrusted` where somebody else may write in a folder whose content is believed.

    It belongs to this user or to root; or to another member of a group that this user is in and that may
    write there, as in a pod whose user is in group 0, or in a team that shares a cache.
    """
    status, user = folder.stat(), os.geteuid()
    shared = bool(status.st_mode & _GROUP) and status.st_gid in {os.getegid(), *os.getgroups()}
    loose = status.st_mode & (_OTHERS if shared else _OTHERS | _GROUP)
    if not loose and (status.st_uid in (0, user) or shared):
        return
    who = (
        f"it is user {status.st_uid}'s, group {status.st_gid}'s, with the mode {status.st_mode & 0o7777:04o}"
    )
    mend = f"chmod -R {'o-w' if shared else 'go-w'} '{folder}'"
    raise BootimgError(
        "cache-untrusted",
        f"others than user {user} may write in {folder}, and what is kept there is believed",
        context=[who],
        hint=f"{mend}, having looked who wrote there; or {_ELSEWHERE}"
        if status.st_uid == user
        else _ELSEWHERE,
        exit_code=ExitCode.ENVIRONMENT,
    )


@dataclass(frozen=True, slots=True)
class Cache:
    """The folders of the cache; each is made when it is first asked for."""

    root: Path

    def folder(self, name: str) -> Path:
        """The folder of one kind of thing: `blobs`, `tars`, `index`, `repo`, `bases`, `probe` …"""
        path = self.root / name
        for each in dict.fromkeys((self.root, path)):
            make_folder(each, _ELSEWHERE)
            require_trusted(each)
        return path

    @contextmanager
    def locked(self, name: str, events: Events | None = None) -> Iterator[None]:
        """Hold the lock `name` (a file of the `locks` folder) while the body runs.

        `events` are told if another process has it first: what can take minutes is not waited for in silence.
        """
        path = self.folder("locks") / name.replace("/", "_").replace(":", "-")
        with open_own(path, Opening.LOCK) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if events:
                    events.message("another bootimg is at work on this part of the cache: waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
