"""Lists of packages in the forms that `oc adm release info --rpmdb` and node images have.

A stored list is `{"rpmdb.pkglist": [[name, epoch, version, release, arch], …]}`; all values are strings.
coreos-assembler's commitmeta.json has the same rows under rpm-ostree's key.  oc shows a list as an object
that maps names to `[epoch:]version-release`; if several packages have one name, the last one counts.
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
    """Sorted by name, then from the oldest to the newest; signing keys are left out."""
    real = (each for each in packages if not each.is_key)
    found = sorted(real, key=lambda each: (each.name, each.arch or ""))
    # Comparing versions is slow and few names have several packages, so sort by name first.
    groups = groupby(found, key=lambda each: each.name)
    return [each for _, group in groups for each in sorted(group, key=version_key)]


def dump_list(packages: Iterable[Package]) -> bytes:
    """The bytes of a stored list."""
    rows = [[each.name, str(each.epoch or 0), each.version, each.release, each.arch or _NONE]
            for each in packages]  # fmt: skip
    return json.dumps({_KEY: rows}).encode()


def parse_list(data: bytes, where: str, key: str = _KEY) -> list[Package]:
    """A stored list, in its order; `rpmdb-list-malformed` names `where`."""
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
    """A list in oc's form."""
    found = {each.name: each.evr for each in packages}
    return dict(sorted(found.items()))


def all_versions(packages: Iterable[Package]) -> dict[str, list[str]]:
    """Every package: lists of `[epoch:]version-release.arch` by name, oldest first."""
    found: dict[str, list[str]] = {}
    for each in in_order(packages):
        found.setdefault(each.name, []).append(each.evra)
    return found


def difference(old: Mapping[str, Value], new: Mapping[str, Value]) -> dict[str, dict[str, Any]]:
    """The difference of two lists (in either form): `changed`, `added` and `removed`, each by name.

    Empty parts are left out, as oc does; equal lists give an empty object.
    """
    parts: dict[str, dict[str, Any]] = {
        "changed": {name: {"old": old[name], "new": new[name]}
                    for name in sorted(old.keys() & new.keys()) if old[name] != new[name]},
        "added": {name: new[name] for name in sorted(new.keys() - old.keys())},
        "removed": {name: old[name] for name in sorted(old.keys() - new.keys())},
    }  # fmt: skip
    return {name: part for name, part in parts.items() if part}
