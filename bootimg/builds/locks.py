"""Locks of the builds tree: flock among bootimg's processes, flufl.lock for coreos-assembler.

coreos-assembler takes a lock file (`.meta.json.lock`, `.builds.json.lock`) by hard-linking a claim
file to it; the claim's text is its own path, `<lock>|<host>|<pid>|<random>`, and the lock file's
mtime is its expiry time.  coreos-assembler's locks last a year, so the lock of a crashed process blocks
others until it is deleted by hand.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bootimg import filelock
from bootimg.atomic import Opening, enough_space, open_own, set_times
from bootimg.errors import BootimgError

# Seconds of clock error that flufl.lock allows before it breaks an expired lock.
_SLOP = 10.0
_LIFETIME = 60.0
_OURS = "bootimg@"
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)


class HeldError(Exception):
    """Another process has a lock; the text says which."""


@contextmanager
def build_lock(folder: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold a build's lock while the body runs; the kernel releases it when the process ends.

    If another process holds it for more than `wait` seconds: `build-running`, which names that process.
    """
    deadline = time.monotonic() + wait
    with ExitStack() as stack:
        try:
            _enter(stack, folder / ".build.lock", deadline)
        except HeldError as held:
            raise BootimgError(
                "build-running",
                f"another process is at work in {folder}",
                context=[line for line in (str(held),) if line],
                hint="wait for it, or end it",
            ) from None
        yield


def _enter(stack: ExitStack, path: Path, deadline: float) -> None:
    while True:
        try:
            stack.enter_context(owned_lock(path))
            return
        except HeldError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.05)


@contextmanager
def owned_lock(path: Path) -> Iterator[None]:
    """Hold the flock of a file, which says who holds it; `HeldError` if another process does.

    Raises `no-space-left`.
    """
    with _opened(path) as handle:
        # Another process may remove the build, with this file, just now.
        if not _try_lock(handle, path) or not _has_name(handle.fileno(), path):
            handle.seek(0)
            raise HeldError(handle.read().decode(errors="replace").strip())
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": int(time.time())}
        with enough_space(path.parent):
            os.ftruncate(handle.fileno(), 0)
            # Not by the buffered handle: what a full disk does not take would stay in its buffer.
            os.pwrite(handle.fileno(), json.dumps(owner).encode() + b"\n", 0)
        yield


@contextmanager
def file_lock(path: Path, *, wait: float = 30.0) -> Iterator[None]:
    """Hold the lock of the JSON file `path` against both bootimg and coreos-assembler.

    `wait` is in seconds; if the lock is still held afterwards: `build-locked`.  Raises `no-space-left`.
    """
    deadline = time.monotonic() + wait
    lock, ours = (path.with_name(f".{path.name}.{suffix}") for suffix in ("lock", "flock"))
    with _opened(ours) as handle:
        while not _try_lock(handle, ours):
            _wait(deadline, lock, "another bootimg process has it")
        _remove_claims(lock)
        with _claim(lock, deadline):
            yield


def _opened(path: Path) -> BinaryIO:
    with enough_space(path.parent):
        return open_own(path, Opening.LOCK)


def _has_name(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _try_lock(handle: BinaryIO, path: Path) -> bool:
    try:
        filelock.lock(handle, path, wait=False)
    except BlockingIOError:
        return False
    return True


def _remove_claims(lock: Path) -> None:
    """Remove what killed bootimg processes left; whoever holds the flock has no claim yet."""
    with suppress(OSError):
        for found in lock.parent.iterdir():
            if found.name.startswith(f"{lock.name}|{_OURS}{socket.gethostname()}|"):
                found.unlink(missing_ok=True)


@contextmanager
def _claim(lock: Path, deadline: float) -> Iterator[None]:
    host = f"{_OURS}{socket.gethostname()}"
    claim = Path(f"{lock.absolute()}|{host}|{os.getpid()}|{secrets.randbits(62)}")
    try:
        with enough_space(lock.parent), open_own(claim, Opening.NEW) as handle:
            handle.write(os.fsencode(claim))
        expires = time.time() + _LIFETIME
        set_times(claim, expires)
        linked = _link(claim, lock, deadline)
        try:
            yield
        finally:
            if linked:
                with suppress(FileNotFoundError):
                    lock.unlink()
    finally:
        claim.unlink(missing_ok=True)


def _link(claim: Path, lock: Path, deadline: float) -> bool:
    """Take the lock; False if the filesystem does not support hard links, and so no such locks."""
    while True:
        try:
            os.link(claim, lock)
            return True
        except FileExistsError:
            holder = _holder(lock)
            if holder is None:
                _break(lock)
            else:
                _wait(deadline, lock, holder)
        except OSError as error:
            if error.errno in _NO_LINKS:
                return False
            raise


def _holder(lock: Path) -> str | None:
    """The lock's owner; None if the lock has expired, or is left over from a killed bootimg.

    Every bootimg holds the flock while it has this lock.  So if the holder of the flock sees a bootimg lock
    of this host, its owner is gone.  A lock of another host counts as held, because the flock may not reach
    across hosts.
    """
    try:
        text = lock.read_text(errors="replace").strip()
        expires = lock.stat().st_mtime
    except FileNotFoundError:
        return None
    fields = text.split("|")
    host, pid = (fields[-3], fields[-2]) if len(fields) >= 4 else ("unknown host", "?")
    if expires + _SLOP < time.time() or host == f"{_OURS}{socket.gethostname()}":
        return None
    return f"process {pid} on {host.removeprefix(_OURS)}"


def _break(lock: Path) -> None:
    with suppress(OSError):
        claim = Path(os.fsdecode(lock.read_bytes()).strip())
        if claim.name.startswith(f"{lock.name}|"):
            lock.with_name(claim.name).unlink()
    lock.unlink(missing_ok=True)


def _wait(deadline: float, lock: Path, holder: str) -> None:
    if time.monotonic() > deadline:
        raise BootimgError(
            "build-locked",
            f"{lock} is held",
            context=[f"by {holder}"],
            hint=f"if no process uses it any more, delete {lock}",
        )
    time.sleep(0.05)
