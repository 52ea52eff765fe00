"""The one place that starts a program.

Programs get an argument list and an explicit environment, never a shell.  Errors distinguish a missing
program, one that a signal ended, one that took too long and one that failed.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bootimg.errors import BootimgError, ExitCode

Argument = str | os.PathLike[str]

_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME",
         "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
         "SSL_CERT_FILE", "SSL_CERT_DIR", "REGISTRY_AUTH_FILE")  # fmt: skip
_MESSAGES = 1 << 20
LOOK = 0.5
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for programs: the variables that they need from this process, and `extra`."""
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    env["PATH"] = search_path()
    env["LC_ALL"] = "C.UTF-8"
    env.update(extra or {})
    return env


def search_path() -> str:
    """PATH, extended by the system folders that an ordinary user's PATH lacks (for mkfs, debugfs)."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(path + [folder for folder in _SYSTEM_PATH if folder not in path])


def find(program: str) -> Path | None:
    """The path of a program, or None."""
    found = shutil.which(program, path=search_path())
    return Path(found) if found else None


def require(program: str, *, packages: str) -> Path:
    """The path of a program; if it is missing, the error names the `packages` to install."""
    found = find(program)
    if found is None:
        raise BootimgError(
            "program-missing",
            f"{program} is not installed",
            hint=f"install {packages}; `bootimg doctor` lists all that is needed",
            exit_code=ExitCode.ENVIRONMENT,
        )
    return found


def run(
    argv: Sequence[Argument],
    *,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    check: bool = True,
    stdout: int | IO[bytes] = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Run a program to its end.

    `timeout` is in seconds; after it the whole process group is killed.  With `check` a non-zero exit
    raises `program-failed` with the last lines of the program's stderr.
    """
    words = tuple(os.fspath(word) for word in argv)
    with spawn(words, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
               stdout=stdout, stderr=subprocess.PIPE, env=env, cwd=cwd, pass_fds=pass_fds,
               tied=True) as child:  # fmt: skip
        try:
            out, err = child.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            assert timeout is not None
            raise timed_out(words, timeout) from None
    done = Completed(words, child.returncode, out or b"", err or b"")
    if check and done.returncode:
        raise failure(done)
    return done


def feed(
    argv: Sequence[Argument],
    pieces: Iterable[bytes],
    *,
    env: Mapping[str, str] | None = None,
    umask: int = -1,
    meanwhile: Callable[[], None] = lambda: None,
) -> Completed:
    """Run a program that reads `pieces` from its standard input; its output is dropped.

    A program that ends before it has read all says by its exit code whether it failed.  Its umask is this
    process's if none is given.  `meanwhile` is called after each piece, and every `LOOK` seconds while the
    program works on; an exception from it ends the program.
    """
    words = tuple(os.fspath(word) for word in argv)
    # A file takes messages of any length while this process writes.
    with tempfile.TemporaryFile() as stderr:
        with spawn(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr, env=env,
                   tied=True, umask=umask) as child:  # fmt: skip
            assert child.stdin
            with suppress(BrokenPipeError):
                for piece in pieces:
                    child.stdin.write(piece)
                    meanwhile()
                child.stdin.close()
            while not _ended(child):
                meanwhile()
        stderr.seek(0)
        return Completed(words, child.returncode, b"", stderr.read(_MESSAGES))


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Wait for a program's end, `LOOK` seconds at most."""
    try:
        child.wait(LOOK)
    except subprocess.TimeoutExpired:
        return False
    return True


def failure(done: Completed) -> BootimgError:
    """The error that describes how a program failed."""
    tail = done.stderr.decode(errors="replace").strip().splitlines()[-8:]
    context = [" ".join(done.argv)[:400], *tail]
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return BootimgError("program-killed", f"{done.argv[0]} was ended by {name}", context=context)
    return BootimgError("program-failed", f"{done.argv[0]} exited with {done.returncode}", context=context)


def timed_out(argv: Sequence[Argument], seconds: float) -> BootimgError:
    """The error for a program that was killed because it took too long."""
    words = [os.fspath(word) for word in argv]
    return BootimgError(
        "program-timeout",
        f"{words[0]} did not end within {seconds:.0f} s and was killed",
        context=[" ".join(words)],
    )


@contextmanager
def spawn(
    argv: Sequence[Argument],
    *,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.PIPE,
    stderr: int | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    tied: bool = False,
    umask: int = -1,
) -> Iterator[subprocess.Popen[bytes]]:
    """A running program in its own process group; it is killed if the body ends before it does.

    With `tied`, the kernel also kills the program when this process ends in any other way (kill -9).
    """
    name = os.fspath(argv[0])
    words = [*(_ties() if tied and find(name) else ()), *(os.fspath(word) for word in argv)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment(env),
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
            umask=umask,
        )

    try:
        child = start() if _is_main_thread() or not tied else _starter().submit(start).result()
    except FileNotFoundError:
        raise BootimgError(
            "program-missing",
            f"{name} is not installed",
            hint="`bootimg doctor` lists all that is needed and the packages that have it",
            exit_code=ExitCode.ENVIRONMENT,
        ) from None
    try:
        yield child
    finally:
        kill_group(child)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None and not pipe.closed:
                with suppress(BrokenPipeError):
                    pipe.close()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@functools.cache
def _starter() -> ThreadPoolExecutor:
    """A thread that lives as long as this process: the kernel's signal comes when the forking thread ends."""
    return ThreadPoolExecutor(1, "start")


def _ties() -> tuple[str, ...]:
    """The arguments to put before a program's own to tie it to this process.

    The signal is requested after the fork, so the program starts only if this process is still its parent
    then.
    """
    parent = str(os.getpid())
    if setpriv := _setpriv():
        return (*setpriv, "/bin/sh", "-c", _UNLESS_ORPHANED, "sh", parent)
    return (sys.executable, "-I", "-S", "-c", _TIE, parent)


_UNLESS_ORPHANED = '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"'
# For machines whose setpriv is older than util-linux 2.33, such as RHEL 8's: PR_SET_PDEATHSIG is 1.
_TIE = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


@functools.cache
def _setpriv() -> tuple[str, ...]:
    """setpriv's arguments for it; none if its version lacks them."""
    setpriv = find("setpriv")
    if setpriv is None:
        return ()
    known = subprocess.run([setpriv, "--help"], capture_output=True, check=False).stdout
    return (os.fspath(setpriv), "--pdeathsig", "KILL", "--") if b"--pdeathsig" in known else ()


def kill_group(child: subprocess.Popen[bytes], grace: float = 2.0) -> None:
    """End a child's process group: terminate it, wait `grace` seconds, then kill it."""
    if child.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(grace)
            break
        except subprocess.TimeoutExpired:
            continue
    child.wait()
