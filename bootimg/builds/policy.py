"""Artifacts that coreos-assembler's prune removed from builds that stay listed.

It deletes artifacts of old builds and leaves their entries in meta.json.  builds.json records this in the
build's `policy-cleanup`: `images-kept` lists the kept artifacts (older files also have `images`: true).
A build that was removed completely is moved to `tombstone-builds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
CLEANUP = "policy-cleanup"
_KEPT = "images-kept"


@dataclass(frozen=True, slots=True)
class Removed:
    """The artifacts of a build that a policy removed, by their keys in meta.json."""

    images: bool = False
    kept: frozenset[str] = frozenset()

    def has(self, key: str) -> bool:
        """Whether the policy removed the artifact `key`."""
        return self.images and key not in self.kept


def removed_by_policy(index: Json, build_id: str) -> Removed:
    """The removals that builds.json records for a build; none if it is not listed or has an unknown form."""
    entry: Json = next((each for each in index["builds"] if each["id"] == build_id), {})
    cleanup = entry.get(CLEANUP)
    if not isinstance(cleanup, dict):
        return Removed()
    kept = cleanup.get(_KEPT)
    names = frozenset(map(str, kept)) if isinstance(kept, list) else frozenset()
    return Removed(_KEPT in cleanup or bool(cleanup.get("images")), names)


def is_tombstone(index: Json, build_id: str) -> bool:
    """Whether a policy removed the build completely."""
    stones = index.get("tombstone-builds")
    listed = stones if isinstance(stones, list) else ()
    return any(isinstance(each, dict) and each.get("id") == build_id for each in listed)
