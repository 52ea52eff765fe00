"""Runs cases, and says what came of each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.case import CASES, Case

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a case; `peak` is in MiB, `size` the bytes of the input on the disk."""

    name: str
    outcome: str
    seconds: float
    cpu: float
    peak: int
    size: int

    @property
    def case(self) -> Case:
        """The case."""
        return CASES[self.name]

    @property
    def fault(self) -> str | None:
        """What is not as it has to be."""
        if self.outcome != self.case.outcome:
            return f"{self.outcome}, not {self.case.outcome}"
        return f"{self.cpu:.0f} s of CPU" if self.cpu > self.case.seconds else None


def results(cases: Iterable[Case], folder: Path, patience: int = 20) -> Iterator[Result]:
    """Run them in a folder; a busy machine has `patience` times their seconds of CPU for each."""
    words = [sys.executable, "-m", "tests.hostile.child", str(folder), str(patience)]
    with subprocess.Popen(
        [*words, *(each.name for each in cases)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        for line in child.stdout:
            yield Result(**json.loads(line))
