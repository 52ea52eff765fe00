"""The cache: where what is slow to make is kept, by content.

Everything in it can be deleted at any time between runs; `bootimg cache gc` does.  Two runs may
share it: what is made appears by rename, and `locked` serialises the making of one thing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events


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


@dataclass(frozen=True, slots=True)
class Cache:
    """The folders of the cache; each is made when it is first asked for."""

    root: Path

    def folder(self, name: str) -> Path:
        """The folder of one kind of thing: `blobs`, `tars`, `index`, `repo`, `bases`, `probe` …"""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def locked(self, name: str, events: Events | None = None) -> Iterator[None]:
        """Hold the lock `name` (a file of the `locks` folder) while the body runs.

        `events` are told if another process has it first: what can take minutes is not waited for in silence.
        """
        path = self.folder("locks") / name.replace("/", "_").replace(":", "-")
        with path.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if events:
                    events.message("another bootimg is at work on this part of the cache: waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
