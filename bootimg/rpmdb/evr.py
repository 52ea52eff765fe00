"""The order of RPM versions: rpm's own algorithm (rpmvercmp of rpm 4.15 and newer), in plain Python.

Letters and digits are ASCII's; whatever else divides segments.  `~` sorts before the end of a version, `^`
after it and before anything else.
"""

from __future__ import annotations

import re
from functools import cmp_to_key

from bootimg.rpmdb.package import Kind, Package

_SEGMENT = re.compile(r"[~^]|[0-9]+|[A-Za-z]+")
_END = ""


def compare_versions(one: str, other: str) -> int:
    """-1, 0 or 1: whether a version or release is older than, as new as, or newer than another."""
    if one == other:
        return 0
    ours, theirs = _SEGMENT.findall(one), _SEGMENT.findall(other)
    for mine, yours in zip([*ours, _END], [*theirs, _END], strict=False):
        if order := _compare_segments(mine, yours):
            return order
    return 0


def _compare_segments(mine: str, yours: str) -> int:
    a, b = _rank(mine), _rank(yours)
    return (a > b) - (a < b)


def _rank(segment: str) -> tuple[int, int, str]:
    """`~` is before the end, the end before `^`, that before letters, those before numbers."""
    if segment.isdigit():
        # As texts: a number may have more digits than Python turns into an integer.
        digits = segment.lstrip("0")
        return 4, len(digits), digits
    return {"~": 0, _END: 1, "^": 2}.get(segment, 3), 0, segment


def compare_packages(one: Package, other: Package) -> int:
    """The same by epoch, version and release."""
    epochs = (one.epoch or 0, other.epoch or 0)
    return (
        (epochs[0] > epochs[1]) - (epochs[0] < epochs[1])
        or compare_versions(one.version, other.version)
        or compare_versions(one.release, other.release)
    )


version_key = cmp_to_key(compare_packages)
"""For `sorted`: packages from the oldest to the newest."""


def direction(old: Package, new: Package) -> str:
    """`upgraded`, `downgraded`, or `changed`: between packages of Debian too, whose order is another."""
    if Kind.DEB in (old.kind, new.kind):
        return "changed"
    return {-1: "upgraded", 0: "changed", 1: "downgraded"}[compare_packages(old, new)]
