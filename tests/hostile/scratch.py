"""The folder that a run works in, which is gone when the run has ended, however it ended.

The run is a child of the process that was started.  This one waits; when the run has ended or it is told to
stop, it kills what the run has left and removes the folder.  If it is killed itself, the next run does so.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.support.processes import parent_of

PREFIX = "hostile-run-"
_LOCK = "lock"
_DEATH_SIGNAL, _SUBREAPER = 1, 36
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_in_scratch(work: Callable[[], int]) -> int:
    """The work's result, or 128 and the number of the signal that stopped this process.

    The work is done in a child, to which the folder is TMPDIR.
    """
    remove_left(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _watched(work, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left(parent: Path) -> None:
    """Remove the folders of runs that were killed, whose locks no process has."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _watched(work: Callable[[], int], folder: Path) -> int:
    # What the run leaves becomes a child of this process, and can be found.
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _work(work, folder)
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    before = {number: signal.signal(number, stop) for number in _STOPS}
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _kill_children()
    for number, handler in before.items():
        signal.signal(number, handler)
    return 128 + stopped[0] if stopped else abs(status)


def _work(work: Callable[[], int], folder: Path) -> NoReturn:
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        code = work()
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - what would end the process is shown, and its number is not 0
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _kill_children() -> None:
    """Kill this process's children, and theirs, which become its own then."""
    while found := list(_children()):
        for pid in found:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _children() -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if parent_of(pid := int(process.name)) == os.getpid():
                yield pid
