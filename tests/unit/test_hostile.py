"""Inputs that were made to exhaust the machine are refused, or read, within their limits.

These are the quick ones; `python -m tests.hostile` runs all.
"""

from pathlib import Path

from tests.hostile.case import CASES
from tests.hostile.cases import ALL
from tests.hostile.run import results


def test_the_quick_cases_keep_their_limits(tmp_path: Path) -> None:
    assert ALL
    quick = [case for case in CASES.values() if case.quick]
    found = list(results(quick, tmp_path))
    assert [each.name for each in found] == [case.name for case in quick]
    assert {each.name: each.fault for each in found if each.fault} == {}
