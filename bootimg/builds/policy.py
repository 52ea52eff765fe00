"""What a policy removed of builds, as coreos-assembler's prune and `bootimg retire` record it in builds.json.

Entries in meta.json stay.  The build's `policy-cleanup` says what was removed: `cloud-uploads`, `containers`
and `build` are flags, `images-kept` lists the kept artifacts (older files also have `images`: true).
A build that was removed completely is moved to `tombstone-builds`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bootimg.builds.meta import rfc3339

Json = dict[str, Any]
CLEANUP = "policy-cleanup"
UPLOADS = "cloud-uploads"
_KEPT = "images-kept"
_STONES = "tombstone-builds"


@dataclass(frozen=True, slots=True)
class Removed:
    """What a policy removed of a build: artifacts, by their keys in meta.json, and images in clouds."""

    images: bool = False
    kept: frozenset[str] = frozenset()
    uploads: bool = False

    def has(self, key: str) -> bool:
        """Whether the policy removed the artifact `key`."""
        return self.images and key not in self.kept


def removed_by_policy(index: Json, build_id: str) -> Removed:
    """The removals that builds.json records for a build; none if it is not listed or has an unknown form."""
    cleanup = cleanup_of(index, build_id)
    kept = cleanup.get(_KEPT)
    names = frozenset(map(str, kept)) if isinstance(kept, list) else frozenset()
    return Removed(_KEPT in cleanup or bool(cleanup.get("images")), names, bool(cleanup.get(UPLOADS)))


def cleanup_of(index: Json, build_id: str) -> Json:
    """A build's `policy-cleanup`; empty without one, or if it has an unknown form."""
    entry: Json = next((each for each in index["builds"] if each["id"] == build_id), {})
    cleanup = entry.get(CLEANUP)
    return cleanup if isinstance(cleanup, dict) else {}


def is_tombstone(index: Json, build_id: str) -> bool:
    """Whether a policy removed the build completely."""
    return any(each.get("id") == build_id for each in _stones(index))


def with_cleanup(index: Json, build_id: str, facts: Mapping[str, Any]) -> Json:
    """The index with these facts in a build's `policy-cleanup`, beside those that are there."""
    cleanup = cleanup_of(index, build_id)
    after = {**cleanup, **facts}
    if after == cleanup:
        return index
    entries = [{**each, CLEANUP: after} if each["id"] == build_id else each for each in index["builds"]]
    return index if entries == index["builds"] else {**index, "builds": entries, "timestamp": _now()}


def with_tombstones(index: Json, entries: Iterable[Mapping[str, Any]]) -> Json:
    """The index with these builds' entries in `tombstone-builds`, and no longer among the builds."""
    stones, builds = _stones(index), index["builds"]
    known = {each.get("id") for each in stones}
    gone = {each["id"]: dict(each) for each in entries}
    added = [each for name, each in gone.items() if name not in known]
    left = [each for each in builds if each["id"] not in gone]
    if not added and len(left) == len(builds):
        return index
    return {**index, "builds": left, _STONES: [*stones, *added], "timestamp": _now()}


def with_marks(there: Json, ours: Json) -> Json:
    """The index `there`, for instance a bucket's, with the removals that `ours` records added.

    Nothing of `there` is lost: its other builds and its other marks stay.
    """
    for build in ours["builds"]:
        there = with_cleanup(there, build["id"], cleanup_of(ours, build["id"]))
    listed = {each["id"] for each in ours["builds"]}
    stones = [each for each in _stones(ours) if isinstance(each.get("id"), str) and each["id"] not in listed]
    return with_tombstones(there, stones)


def _stones(index: Json) -> list[Json]:
    found = index.get(_STONES)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _now() -> str:
    return rfc3339(datetime.now(UTC))
