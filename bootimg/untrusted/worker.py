"""Runs modules of bootimg that give untrusted data to a C library, in processes of their own with limits."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bootimg import process
from bootimg.untrusted.files import read_start
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, run_limited
from bootimg.untrusted.tree import Refuse

_ROOT = Path(__file__).parents[2]


def ask_worker(module: str, *arguments: str, scratch: Path, limits: ProcessLimits, refuse: Refuse) -> Any:  # noqa: ANN401
    """What the module's `give_answer` prints.

    `refuse` makes the error for what the module cannot read, or not within its limits.  `scratch` is a folder
    for a temporary file.  A call takes some 60 ms.
    """
    # Without site: workers need the standard library and bootimg, which PYTHONPATH names.
    words = [sys.executable, "-S", "-s", "-P", "-m", module, *arguments]
    most = limits.written or 0
    with TemporaryDirectory(prefix="worker-", dir=scratch) as folder:
        output = Path(folder) / "answer"
        try:
            done = run_limited(words, output, limits, env={"PYTHONPATH": str(_ROOT)})
        except OverLimitError as error:
            raise refuse(str(error)) from None
        if done.returncode:
            raise refuse(_last_words(done))
        answer = parse_object(read_start(output, most), refuse, limit=most)
    if (why := answer.take("error", str)) is not None:
        raise refuse(why)
    return answer.values["ok"]


def _last_words(done: process.Completed) -> str:
    text = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return text[:300] or process.failure(done).message
