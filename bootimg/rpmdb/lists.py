"""Lists of packages in the forms that `oc adm release info --rpmdb` and node images have.

A list is kept as `{"rpmdb.pkglist": [[name, epoch, version, release, arch], …]}`, all of them strings.
coreos-assembler's commitmeta.json has such rows under a key of rpm-ostree's.  As oc shows it, a list is an
object of `[epoch:]version-release` by name: of several by one name the last counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from bootimg.errors import BootimgError
from bootimg.printable import printable
from bootimg.rpmdb.evr import version_key
from bootimg.rpmdb.package import Package
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.node import Node

_KEY, _NONE = "rpmdb.pkglist", "(none)"
_EPOCH = re.compile(r"[0-9]{1,18}")
COMMIT_KEY = "rpmostree.rpmdb.pkglist"
"""The key of the list in commitmeta.json."""
Value = TypeVar("Value")


def in_order(packages: Iterable[Package]) -> list[Package]:
    """By name, those of one name from the oldest to the newest; signing keys are left out."""
    real = (each for each in packages if not each.is_key)
    found = sorted(real, key=lambda each: (each.name, each.arch or ""))
    # Few names have several packages, and comparing versions takes long.
    groups = groupby(found, key=lambda each: each.name)
    return [each for _, group in groups for each in sorted(group, key=version_key)]


def dump_list(packages: Iterable[Package]) -> bytes:
    """A list as it is kept."""
    rows = [[each.name, str(each.epoch or 0), each.version, each.release, each.arch or _NONE]
            for each in packages]  # fmt: skip
    return json.dumps({_KEY: rows}).encode()


def parse_list(data: bytes, where: str, key: str = _KEY) -> list[Package]:
    """A list that was kept, in its order; `rpmdb-list-malformed` names `where`."""
    rows = parse_object(data, partial(_malformed, where)).needed(key).items()
    return [package for row in rows if not (package := _package(row)).is_key]


def _malformed(where: str, why: str) -> BootimgError:
    return BootimgError(
        "rpmdb-list-malformed",
        f"{where} is not a list of packages",
        context=[printable(why)[:300]],
        hint="a file of the cache can be deleted; it is made again",
    )


def _package(row: Node) -> Package:
    words = row.each(str)
    if len(words) != 5 or not words[0] or not words[2]:
        raise row.error("is not [name, epoch, version, release, arch]")
    name, epoch, version, release, arch = words
    epoch = "0" if epoch == _NONE else epoch
    if not _EPOCH.fullmatch(epoch):
        raise row.error(f"has the epoch {epoch!r:.80}, which is not a number")
    return Package(name, int(epoch) or None, version, release, None if arch in (_NONE, "") else arch)


def versions(packages: Iterable[Package]) -> dict[str, str]:
    """oc's form of a list."""
    found = {each.name: each.evr for each in packages}
    return dict(sorted(found.items()))


def all_versions(packages: Iterable[Package]) -> dict[str, list[str]]:
    """Every package: lists of `[epoch:]version-release.arch` by name, oldest first."""
    found: dict[str, list[str]] = {}
    for each in in_order(packages):
        found.setdefault(each.name, []).append(each.evra)
    return found


def difference(old: Mapping[str, Value], new: Mapping[str, Value]) -> dict[str, dict[str, Any]]:
    """What turns one list (in either form) into another: `changed`, `added` and `removed`, each by name.

    What is empty is left out, as oc does, so that there is nothing where nothing differs.
    """
    parts: dict[str, dict[str, Any]] = {
        "changed": {name: {"old": old[name], "new": new[name]}
                    for name in sorted(old.keys() & new.keys()) if old[name] != new[name]},
        "added": {name: new[name] for name in sorted(new.keys() - old.keys())},
        "removed": {name: old[name] for name in sorted(old.keys() - new.keys())},
    }  # fmt: skip
    return {name: part for name, part in parts.items() if part}
