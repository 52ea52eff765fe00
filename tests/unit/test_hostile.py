"""Inputs that were made to exhaust the machine are refused, or read, within their limits.

These are the quick ones, and a few mutations of each; `python -m tests.hostile` runs all.
"""

import subprocess
import sys
from pathlib import Path

from tests.hostile.case import CASES
from tests.hostile.cases import ALL
from tests.hostile.run import ROOT, results

MUTATED = (
    "isos",
    "livefiles",
    "rootfs-images",
    "zipl",
    "statements",
    "stream-json",
    "disk-artifacts",
    "builds",
)


def test_the_quick_cases_keep_their_limits(tmp_path: Path) -> None:
    assert ALL
    quick = [case for case in CASES.values() if case.quick]
    found = list(results(quick, tmp_path))
    assert [each.name for each in found] == [case.name for case in quick]
    assert {each.name: each.fault for each in found if each.fault} == {}


def test_a_few_mutated_inputs_are_read_or_refused(tmp_path: Path) -> None:
    words = ["--inputs", "40", "--seed", "7", "--folder", str(tmp_path)]
    argv = [sys.executable, "-m", "tests.hostile.mutated", *MUTATED, *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[0] for line in done.stdout.splitlines()[2:-2]] == ["|"] * len(MUTATED)
    assert ", 0 read badly" in done.stdout
    assert list(tmp_path.iterdir()) == []
