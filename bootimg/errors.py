"""The one error type of the program.

Every error a user can cause or meet has a stable id; `docs/errors/<id>.md` explains it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

from bootimg.printable import printable

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


class ExitCode(IntEnum):
    """The exit codes of the program."""

    OK = 0
    FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    PARTIAL = 4
    INTERRUPTED = 130


class BootimgError(Exception):
    """A failure that a person can act on.

    `id` is kebab-case and never changes once published; it is always written as a literal where the
    error is raised, so that the documentation test finds it.  `message` is one sentence.  `context`
    lines say where (program, file, digest, last lines of a log).  `hint` says what to do.
    """

    def __init__(
        self,
        id: str,
        message: str,
        *,
        context: Sequence[str] = (),
        note: str | None = None,
        hint: str | None = None,
        exit_code: ExitCode = ExitCode.FAILED,
    ) -> None:
        if not _ID.fullmatch(id):
            raise ValueError(f"not an error id: {id!r}")
        # The texts contain untrusted names: keep each on one line, without control characters.
        self.message = printable(message)
        super().__init__(self.message)
        self.id = id
        self.context = tuple(context)
        self.note = note
        self.hint = hint and printable(hint)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.id}: {self.message}"

    @property
    def docs(self) -> str:
        """The page that explains this error, relative to the project's root."""
        return f"docs/errors/{self.id}.md"

    def as_dict(self) -> dict[str, object]:
        """The error as `--json` and the NDJSON events print it."""
        return {
            "id": self.id,
            "message": self.message,
            "context": list(self.context),
            "note": self.note,
            "hint": self.hint,
            "docs": self.docs,
            "exit-code": int(self.exit_code),
        }
