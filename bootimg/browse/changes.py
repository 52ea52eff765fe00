"""The differences between the packages of two builds, and a table of all packages for the comparing page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootimg.rpmdb.evr import compare_packages, direction
from bootimg.rpmdb.lists import all_versions, difference, in_order
from bootimg.rpmdb.package import Package


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one package name: `kind` is upgraded, downgraded, changed, added or removed.

    `old` and `new` are all packages of that name as `[epoch:]version-release.arch`, oldest first.
    """

    name: str
    kind: str
    old: Sequence[str] = ()
    new: Sequence[str] = ()


def changes(old: Sequence[Package], new: Sequence[Package]) -> list[Change]:
    """The changes, sorted by name; of several packages with one name, the newest decide the direction."""
    parts = difference(all_versions(old), all_versions(new))
    newest = [{each.name: each for each in in_order(packages)} for packages in (old, new)]
    found = [
        Change(name, direction(newest[0][name], newest[1][name]), each["old"], each["new"])
        for name, each in parts.get("changed", {}).items()
    ]
    found += [Change(name, "added", new=each) for name, each in parts.get("added", {}).items()]
    found += [Change(name, "removed", old=each) for name, each in parts.get("removed", {}).items()]
    return sorted(found, key=lambda each: each.name)


class Table:
    """A compact table of the packages of many builds: each package once, a build as a difference."""

    def __init__(self, lists: Mapping[str, Sequence[Package]]) -> None:
        """`lists` has the packages of each build, by a key."""
        found = in_order({each for packages in lists.values() for each in packages})
        self._place = {each: number for number, each in enumerate(found)}
        self._sets = {key: {self._place[each] for each in packages} for key, packages in lists.items()}
        self.rows = _rows(found)

    def delta(self, key: str, base: str | None) -> dict[str, Any]:
        """The rows to `add` to and `drop` from the base (None: an empty list) to get a build's packages."""
        mine, others = self._sets[key], self._sets[base] if base is not None else set()
        return {"base": base, "add": sorted(mine - others), "drop": sorted(others - mine)}


def _rows(packages: Sequence[Package]) -> list[tuple[str, str, int]]:
    """Name, `[epoch:]version-release.arch`, and the rank of the version among those of the same name."""
    rows: list[tuple[str, str, int]] = []
    before, rank = None, 0
    for each in packages:
        if before is None or before.name != each.name:
            rank = 0
        elif compare_packages(before, each) < 0:
            rank += 1
        rows.append((each.name, each.evra, rank))
        before = each
    return rows
