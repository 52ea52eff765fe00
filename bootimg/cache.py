"""The cache: keeps slow results, by content.

Everything in it can be deleted at any time between runs; `bootimg cache gc` does that.  Two runs may
share it: results appear by rename, and `locked` serialises the making of one thing.

The content of the cache is trusted, so other users must not be able to write there: see `require_trusted`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import Opening, make_folder, open_own
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.filelock import lock

BASES = "bases"
_ELSEWHERE = "give another folder with --cache or BOOTIMG_CACHE"
_GROUP, _OTHERS = 0o020, 0o002


def default_root() -> Path:
    """$BOOTIMG_CACHE, else bootimg's folder in the XDG cache; raises `cache-place-unknown` without a home."""
    if root := os.environ.get("BOOTIMG_CACHE"):
        return Path(root)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "bootimg"
    try:
        return Path("~/.cache/bootimg").expanduser()
    except RuntimeError:
        raise BootimgError(
            "cache-place-unknown",
            f"the cache has no folder: HOME is not set, and user {os.getuid()} has no home folder",
            hint="name a folder with --cache or BOOTIMG_CACHE",
            exit_code=ExitCode.ENVIRONMENT,
        ) from None


def require_trusted(folder: Path) -> None:
    """Raise `cache-untrusted` if other users may write in a folder whose content is trusted.

    The folder must belong to this user or to root.  It may also belong to another member of a group of this
    user's that may write there, as in a pod whose user is in group 0, or in a team that shares a cache.
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
        f"other users than {user} may write in {folder}, whose content bootimg trusts",
        context=[who],
        hint=f"{mend}, after checking who wrote there; or {_ELSEWHERE}"
        if status.st_uid == user
        else _ELSEWHERE,
        exit_code=ExitCode.ENVIRONMENT,
    )


@dataclass(frozen=True, slots=True)
class Cache:
    """The folders of the cache; each is made at its first use.

    `bases`, if it is set, is a folder for base disks outside of the cache.
    """

    root: Path
    bases: Path | None = None

    def place(self, name: str) -> Path:
        """The path of a kind of content, which need not exist yet."""
        return self.bases if name == BASES and self.bases is not None else self.root / name

    def folder(self, name: str) -> Path:
        """The folder for one kind of content: `blobs`, `tars`, `index`, `repo`, `bases`, `probe` …"""
        path = self.place(name)
        for each in dict.fromkeys((self.root, path)):
            make_folder(each, _ELSEWHERE)
            require_trusted(each)
        return path

    @contextmanager
    def locked(self, name: str, events: Events | None = None) -> Iterator[None]:
        """Hold the lock `name` (a file of the `locks` folder) while the body runs.

        If another process holds it, a message goes to `events`, because the wait can take minutes.
        """
        path = self.folder("locks") / name.replace("/", "_").replace(":", "-")
        with open_own(path, Opening.LOCK) as handle:
            try:
                lock(handle, path, wait=False)
            except BlockingIOError:
                if events:
                    events.message("another bootimg is using this part of the cache: waiting for it")
                lock(handle, path)
            yield
