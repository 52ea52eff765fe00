"""The one place where an OSError of storage becomes an error that a person can act on.

The command and the Python API put `storage_errors` around each verb; below it, code lets an OSError through.
What it does not know stays a traceback, because it is a bug: a file that is missing or exists already, a
descriptor or an argument that the kernel refuses.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg.atomic import no_space, temporary_root
from bootimg.errors import BootimgError
from bootimg.printable import printable
from bootimg.storagefaults import FULL, fault_of, is_output, names_of


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn a fault of storage in the body into `storage-failed`, a full file system into `no-space-left`."""
    try:
        yield
    except OSError as error:
        found = storage_error(_first(error))
        if found is None:
            raise
        raise found from error


def _first(error: OSError) -> OSError:
    """The fault itself: after a close that failed, Python 3.11's rmtree closes again, which is EBADF."""
    before = error.__context__
    return before if error.errno == errno.EBADF and isinstance(before, OSError) else error


def storage_error(error: OSError) -> BootimgError | None:
    """The error for a fault of storage; None if it is something else."""
    # Errors of SSL, of the resolver and of HTTP are OSErrors too, with numbers of their own.
    if type(error).__module__ != "builtins":
        return None
    names = names_of(error)
    if error.errno in FULL:
        return _full(names)
    fault = fault_of(error)
    if fault is None or error.errno is None:
        return None
    subject = " or ".join(map(_shown, names)) or "a file"
    return BootimgError(
        "storage-failed",
        f"{subject} {fault.words}",
        context=[f"{errno.errorcode[error.errno]}: {error.strerror}"],
        hint=fault.hint,
    )


def _full(names: tuple[str, ...]) -> BootimgError:
    if names and is_output(names[0]):
        return BootimgError(
            "no-space-left",
            f"no space left for {_shown(names[0])}",
            hint="free some space where it goes, or write it elsewhere",
        )
    return no_space(Path(names[-1]) if names else temporary_root())


def _shown(name: str) -> str:
    return {"<stdout>": "the standard output", "<stderr>": "the standard error"}.get(name) or printable(name)
