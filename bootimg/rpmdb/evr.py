"""The order of RPM versions: rpm's own algorithm (rpmvercmp of rpm 4.15 and newer), in plain Python.

Segments are ASCII letters or ASCII digits; all other characters separate segments.  `~` sorts before the end
of a version, `^` after it and before anything else.
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
    segments, others = _SEGMENT.findall(one), _SEGMENT.findall(other)
    for a, b in zip([*segments, _END], [*others, _END], strict=False):
        if order := _compare_segments(a, b):
            return order
    return 0


def _compare_segments(one: str, other: str) -> int:
    a, b = _rank(one), _rank(other)
    return (a > b) - (a < b)


def _rank(segment: str) -> tuple[int, int, str]:
    """The order is: `~`, the end, `^`, letters, numbers."""
    if segment.isdigit():
        # As text, because a number may have more digits than Python converts to an integer.
        digits = segment.lstrip("0")
        return 4, len(digits), digits
    return {"~": 0, _END: 1, "^": 2}.get(segment, 3), 0, segment


def compare_packages(one: Package, other: Package) -> int:
    """-1, 0 or 1 as `compare_versions`, by epoch, version and release."""
    epochs = (one.epoch or 0, other.epoch or 0)
    return (
        (epochs[0] > epochs[1]) - (epochs[0] < epochs[1])
        or compare_versions(one.version, other.version)
        or compare_versions(one.release, other.release)
    )


version_key = cmp_to_key(compare_packages)
"""A key for `sorted`: packages from the oldest to the newest."""


def direction(old: Package, new: Package) -> str:
    """`upgraded`, `downgraded` or `changed`; always `changed` for Debian packages: their order is another."""
    if Kind.DEB in (old.kind, new.kind):
        return "changed"
    return {-1: "upgraded", 0: "changed", 1: "downgraded"}[compare_packages(old, new)]
