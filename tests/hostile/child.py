"""Cases in processes of their own: `python -m tests.hostile.child FOLDER PATIENCE CASE…`.

One process makes the input, another one with limited memory reads it.  Both are forks of this one, which has
imported the product already.  For each case a line of JSON tells what came of it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bootimg.errors import BootimgError
from tests.hostile.case import ACCEPTED, CASES, Case
from tests.hostile.cases import ALL

assert ALL
BASE = 160
"""MiB of data that Python and the modules of the product take before they read anything."""
_MAKING = 600


def main(parent: Path, patience: int, names: list[str]) -> None:
    for case in map(CASES.__getitem__, names):
        with TemporaryDirectory(prefix="hostile-", dir=parent) as name:
            folder = Path(name)
            made = _forked(lambda each=case, place=folder: _make(each, place), _MAKING)  # type: ignore[misc]
            size = sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
            deadline = case.seconds * patience
            said = made if "failed" in made else _forked(
                lambda each=case, place=folder: _read(each, place), deadline  # type: ignore[misc]
            )  # fmt: skip
            found = {"outcome": said.pop("failed", None), "seconds": 0.0, "cpu": 0.0, "peak": 0} | said
            print(json.dumps({"name": case.name, "size": size} | found), flush=True)


def _forked(work: Callable[[], dict[str, Any]], seconds: int) -> dict[str, Any]:
    """What a fork returns; it has so many seconds."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(seconds)
        # What is printed is no result.
        os.dup2(2, 1)
        os.write(into, json.dumps(work()).encode())
        # Nothing else is to be measured, and millions of objects take long to free.
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    found: dict[str, Any] = json.loads(said) if said else {"failed": _ended(status)}
    return found


def _ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def _make(case: Case, folder: Path) -> dict[str, Any]:
    case.make(folder)
    return {}


def _read(case: Case, folder: Path) -> dict[str, Any]:
    # A mapped file is no memory of the process, so the limit is on data and not on the address space.
    most = (case.memory + BASE) << 20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (case.seconds, case.seconds))
    started = time.monotonic()
    outcome = _outcome(case, folder)
    seconds, used = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    return {
        "outcome": outcome,
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss >> 10,
    }


def _outcome(case: Case, folder: Path) -> str:
    try:
        said = case.read(folder)
    except BootimgError as error:
        return _error(error.id, error.message)
    except MemoryError:
        return "out of memory"
    # `inspect` describes an image that no disk can be made from, and says why.
    problem = said.get("problem") if isinstance(said, dict) else None
    return _error(problem["id"], problem["message"]) if problem else ACCEPTED


def _error(id: str, message: str) -> str:
    return f"{id}/{message.split('`')[1]}" if id == "image-over-budget" else id


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
