"""The versions of CoreOS in their three schemes: parsing, comparing, writing.

- Legacy OpenShift, `419.96.202412101440-0`: OCP 4.19 on RHEL 9.6, date and time to the minute, an iteration.
- RHEL and CentOS Stream, `9.6.20250203-0`: X.Y of the system, the date, an iteration.  For some months of
  2024 the date included hours and minutes.
- Fedora, `44.20260419.3.1`: release, date, the stream's number, an iteration.

The rules are those of the `versionary` programs of openshift/os, rhel-coreos-config and
fedora-coreos-config.  Versions of one scheme are ordered; comparing different schemes is a `TypeError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

_LEGACY = re.compile(r"([1-9])(0|[1-9][0-9]{0,3})\.([0-9])([0-9])\.([0-9]{12})-(0|[1-9][0-9]{0,8})")
_RHEL = re.compile(r"([1-9][0-9]?)\.(0|[1-9][0-9]?)\.([0-9]{8}|[0-9]{12})-(dev|)(0|[1-9][0-9]{0,8})(\.dev|)")
_FEDORA = re.compile(r"([1-9][0-9])\.([0-9]{8})\.(0|[1-9][0-9]{0,3})\.(dev|)(0|[1-9][0-9]{0,8})")
_FORMS = {8: "%Y%m%d", 12: "%Y%m%d%H%M"}
FEDORA_STREAMS = {
    "next": 1,
    "testing": 2,
    "stable": 3,
    "next-devel": 10,
    "testing-devel": 20,
    "rawhide": 91,
    "branched": 92,
    "bodhi-updates-testing": 93,
    "bodhi-updates": 94,
}
"""The third number of Fedora's versions, by the stream's name."""


class Dev(StrEnum):
    """The mark of a developer's version; semantic versioning orders such versions after the plain one."""

    NO = ""
    AFTER = ".dev"
    BEFORE = "dev"
    """The mark is before the iteration, as in Fedora's versions."""


@dataclass(frozen=True, slots=True, order=True)
class LegacyVersion:
    """The version of a layer with both RHEL and OCP: `ocp` and `rhel` are (major, minor)."""

    ocp: tuple[int, int]
    rhel: tuple[int, int]
    stamp: str
    iteration: int = 0

    @property
    def prefix(self) -> str:
        """The part before the iteration."""
        return f"{self.ocp[0]}{self.ocp[1]}.{self.rhel[0]}{self.rhel[1]}.{self.stamp}-"

    def __str__(self) -> str:
        return f"{self.prefix}{self.iteration}"


@dataclass(frozen=True, slots=True, order=True)
class RhelVersion:
    """The version of a layer of RHEL or CentOS Stream; the `system` (9, 0) is c9s."""

    system: tuple[int, int]
    _minute: str = field(init=False, repr=False)
    date: str
    iteration: int = 0
    dev: Dev = Dev.NO

    def __post_init__(self) -> None:
        # For the order: a day is before all its minutes, and these are before the next day.
        object.__setattr__(self, "_minute", self.date.ljust(12, "0"))

    @property
    def prefix(self) -> str:
        """The part before the iteration and its mark."""
        return f"{self.system[0]}.{self.system[1]}.{self.date}-"

    def __str__(self) -> str:
        before, after = (self.dev, "") if self.dev is Dev.BEFORE else ("", self.dev)
        return f"{self.prefix}{before}{self.iteration}{after}"


@dataclass(frozen=True, slots=True, order=True)
class FedoraVersion:
    """The version of Fedora CoreOS; `stream` is usually one of the numbers of `FEDORA_STREAMS`."""

    release: int
    date: str
    stream: int
    iteration: int = 0
    dev: Dev = Dev.NO

    @property
    def prefix(self) -> str:
        """The part before the iteration and its mark."""
        return f"{self.release}.{self.date}.{self.stream}."

    def __str__(self) -> str:
        return f"{self.prefix}{self.dev}{self.iteration}"


Version = LegacyVersion | RhelVersion | FedoraVersion


def find_version(text: str) -> Version | None:
    """Parse a version; None if it is not one, because a build may have any name."""
    if found := _LEGACY.fullmatch(text):
        major, minor, x, y, time, n = found.groups()
        version: Version = LegacyVersion((int(major), int(minor)), (int(x), int(y)), time, int(n))
    elif found := _RHEL.fullmatch(text):
        major, minor, time, before, n, after = found.groups()
        if before and after:
            return None
        version = RhelVersion((int(major), int(minor)), time, int(n), Dev(before or after))
    elif found := _FEDORA.fullmatch(text):
        release, time, stream, before, n = found.groups()
        version = FedoraVersion(int(release), time, int(stream), int(n), Dev(before))
    else:
        return None
    return version if _is_time(time) else None


def is_newer(one: str, other: str) -> bool:
    """Whether the first is the newer version; versions of two schemes have no order."""
    first, second = find_version(one), find_version(other)
    return type(first) is type(second) and first is not None and first > second  # type: ignore[operator]


def _is_time(digits: str) -> bool:
    try:
        datetime.strptime(digits, _FORMS[len(digits)])
    except ValueError:
        return False
    return True
