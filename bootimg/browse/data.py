"""The status texts of a build, and the data of the page that compares builds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bootimg.browse.changes import Table
from bootimg.browse.site import Site
from bootimg.browse.tree import ArchBuild
from bootimg.builds.state import FileState

_STATE_TEXTS = {FileState.EXPECTED: "missing", FileState.SIZE: "wrong size according to meta.json"}


@dataclass(frozen=True, slots=True)
class Status:
    """A statement about a build's state: `level` is bad, note, plain or good."""

    level: str
    text: str


def status(build: ArchBuild) -> list[Status]:
    """The statements about a build.

    A file that is not in the tree is not a fault: for older builds, pipelines keep only the metadata.
    """
    if build.state.problem is not None:
        return [Status("bad", build.state.problem)]
    artifacts = build.state.artifacts
    found = [
        Status("bad", f"{words}: {', '.join(each.key for each in artifacts if each.state is state)}")
        for state, words in _STATE_TEXTS.items()
        if any(each.state is state for each in artifacts)
    ]
    absent = sum(each.state is FileState.ABSENT for each in artifacts)
    if absent:
        found.append(Status("plain", f"{absent} of {len(artifacts)} files not in this tree"))
    removed = sum(each.state is FileState.REMOVED for each in artifacts)
    if removed:
        found.append(Status("plain", f"{removed} of {len(artifacts)} files removed by policy"))
    if build.record.skip_reason is not None:
        found.append(Status("note", "disk images skipped"))
    if not build.state.listed:
        found.append(Status("note", "not in builds.json"))
    return [Status("good", "complete"), *found] if build.state.complete else found


def diff_data(site: Site) -> dict[str, Any]:
    """The packages of all builds, newest first, each as the difference from its predecessor.

    `rows` are those of `Table`, `base` is an index in `builds`.  A build with unknown packages has `reason`
    instead.
    """
    builds = [each for build in site.builds for each in build.arches]
    known = {_key(each): found for each in builds if (found := site.packages_of(each).found) is not None}
    table, places = Table(known), {_key(each): number for number, each in enumerate(builds)}
    return {"rows": table.rows, "builds": [_entry(site, table, places, each) for each in builds]}


def _entry(site: Site, table: Table, places: dict[str, int], build: ArchBuild) -> dict[str, Any]:
    facts = {"id": build.id, "arch": build.arch, "stream": build.stream, "path": build.stream_path}
    packages = site.packages_of(build)
    if packages.found is None:
        return {**facts, "reason": packages.reason}
    base = site.base(build)
    delta = table.delta(_key(build), _key(base) if base else None)
    return {**facts, **delta, "base": places[_key(base)] if base else None}


def _key(build: ArchBuild) -> str:
    # Neither name contains a slash.
    return f"{build.id}/{build.arch}"
