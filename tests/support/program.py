"""The program as a whole, its errors in words and its exit code, without a process for every call."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from bootimg.__main__ import main


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def program(*words: object) -> Done:
    """`bootimg` with these words."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(map(str, words)))
    return Done(int(code), out.getvalue(), err.getvalue())
