"""The order of versions, against rpm's own."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.rpmdb.evr import compare_packages, compare_versions, version_key
from bootimg.rpmdb.package import Package

needs_rpm = pytest.mark.skipif(not shutil.which("rpm"), reason="rpm is not installed")
# Close to each other, so that the last difference counts; none of it means anything to Lua or rpm's macros.
WORDS = st.lists(st.sampled_from(["0", "1", "01", "10", "a", "b", "ab", "rc", ".", "..", "_", "+", "~", "^"]),
                 max_size=7).map("".join)  # fmt: skip
VECTORS = [
    ("1.0", "1.0", 0), ("1.0", "2.0", -1), ("2.0.1a", "2.0.1", 1), ("5.5p1", "5.5p10", -1),
    ("xyz10", "xyz10.1", -1), ("1b.fc17", "1.fc17", -1),
    ("1.0~rc1", "1.0", -1), ("1.0~rc1", "1.0~rc1~git", 1), ("1.0^", "1.0", 1), ("1.0^git1", "1.01", -1),
    ("1.0^git1~pre", "1.0^git1", -1), ("1.010", "1.10", 0), ("a", "1", -1), ("1.0.", "1.0", 0),
]  # fmt: skip


def rpm_says(pairs: list[tuple[str, str]]) -> list[int]:
    calls = " ".join(f'print(rpm.vercmp("{one}", "{other}"), " ")' for one, other in pairs)
    done = subprocess.run(["rpm", "--eval", f"%{{lua: {calls}}}"], check=True, capture_output=True, text=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize(("one", "other", "order"), VECTORS)
def test_known_orders(one: str, other: str, order: int) -> None:
    assert compare_versions(one, other) == order
    assert compare_versions(other, one) == -order


@needs_rpm
def test_rpm_agrees_with_the_vectors() -> None:
    assert rpm_says([(one, other) for one, other, _ in VECTORS]) == [order for _, _, order in VECTORS]


@needs_rpm
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=60))
def test_rpm_orders_alike(pairs: list[tuple[str, str]]) -> None:
    # rpm compares no empty version.
    pairs = [(f"1{one}", f"1{other}") for one, other in pairs]
    assert [compare_versions(*pair) for pair in pairs] == rpm_says(pairs)


@given(st.text(), st.text(), st.text())
def test_any_text_has_its_place(a: str, b: str, c: str) -> None:
    assert compare_versions(a, b) == -compare_versions(b, a)
    if compare_versions(a, b) <= 0 and compare_versions(b, c) <= 0:
        assert compare_versions(a, c) <= 0


def test_numbers_longer_than_python_s() -> None:
    assert compare_versions("9" * 5000, "1" + "0" * 5000) == -1


def test_epoch_then_version_then_release() -> None:
    parts: list[tuple[int | None, str, str]] = [
        (1, "1", "1"),
        (None, "2", "10"),
        (0, "2", "9"),
        (None, "10", "1"),
    ]
    made = [Package("x", *each, None) for each in parts]
    assert [each.evr for each in sorted(made, key=version_key)] == ["2-9", "2-10", "10-1", "1:1-1"]
    assert compare_packages(Package("x", None, "1", "1", None), Package("x", 0, "1", "1", None)) == 0
