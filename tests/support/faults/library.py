"""Makes the library that injects faults (injector.c), and says which faults there are."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

SOURCE = Path(__file__).with_name("injector.c")
FAULTS: Mapping[str, tuple[int, ...]] = {
    "open": (errno.EIO, errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENAMETOOLONG,
             errno.ELOOP, errno.ENOTDIR, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    "tmpfile": (errno.EIO, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EOPNOTSUPP),
    "list": (errno.EIO, errno.EACCES, errno.EMFILE, errno.ESTALE),
    "read": (errno.EIO, errno.ESTALE),
    "write": (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ESTALE),
    "sync": (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    "rename": (errno.EIO, errno.EROFS, errno.ENOSPC, errno.EACCES, errno.ESTALE),
    "link": (errno.EIO, errno.EROFS, errno.ENOSPC, errno.EPERM),
    "lock": (errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO),
    "resize": (errno.EIO, errno.EFBIG, errno.ENOSPC),
    "mkdir": (errno.EIO, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.ENAMETOOLONG),
    "unlink": (errno.EIO, errno.EROFS, errno.EACCES),
    "status": (errno.EIO, errno.EACCES, errno.ESTALE, errno.ENAMETOOLONG, errno.ELOOP),
    "attributes": (errno.EIO, errno.EROFS, errno.EPERM),
    "close": (errno.EIO, errno.EDQUOT),
}  # fmt: skip
"""The errors that each kind of call can have."""


@dataclass(frozen=True, slots=True)
class Injection:
    """Call number `at` (from 1) of a kind fails, and with `lasting` all later ones of this kind too.

    With `stops` it does not fail: the process sends itself that signal before it.
    """

    call: str
    number: int
    at: int = 1
    lasting: bool = False
    stops: Signals | None = None

    def __str__(self) -> str:
        if self.stops:
            return f"{self.stops.name} at {self.call} {self.at}"
        end = " and all later" if self.lasting else ""
        return f"{errno.errorcode[self.number]} at {self.call} {self.at}{end}"

    def environment(self, under: Path, log: Path) -> dict[str, str]:
        """The variables that the library reads."""
        return {
            "FAULT_UNDER": os.fspath(under),
            "FAULT_CALL": self.call,
            "FAULT_AT": str(self.at),
            "FAULT_ERRNO": str(self.number),
            "FAULT_LOG": os.fspath(log),
            **({"FAULT_ON": "1"} if self.lasting else {}),
            **({"FAULT_SIGNAL": str(int(self.stops))} if self.stops else {}),
        }


CHANGE = "change"
"""Stands for all kinds of calls that change something."""
COUNTING = Injection("*", 0, at=0)
"""No fault, but all calls are in the log."""


def why_not() -> str | None:
    """Why the library cannot be made here; None if it can."""
    return None if shutil.which("gcc") else "gcc is not installed: no library injects faults"


def make_library(folder: Path) -> Path:
    """The library, in a folder."""
    made = folder / "injector.so"
    subprocess.run(
        ["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", made, SOURCE, "-ldl"], check=True
    )
    return made
