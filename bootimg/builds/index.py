"""builds.json, the list of builds newest first, and the `latest` link."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds.layout import BUILDS, LATEST
from bootimg.builds.locks import file_lock
from bootimg.builds.malformed import unreadable_meta
from bootimg.builds.meta import Json, read_json, rfc3339, write_json
from bootimg.builds.names import safe_name
from bootimg.errors import BootimgError
from bootimg.untrusted.node import Fields, Node

_VERSION = "1.0.0"


def insert_build(builds: Path, build_id: str, arch: Arch, *, order: Sequence[str] = ()) -> None:
    """List a new build as the newest, then point `latest` at the newest one.

    `order` has the ids of another list, newest first: the build goes after those that are newer in it.
    """

    def insert(index: Json) -> Json:
        return listed(index, build_id, arch.value, order)

    change_index(builds, insert)


def listed(index: Json, build_id: str, arch: str, order: Sequence[str] = ()) -> Json:
    """The index with this build and architecture added as `insert_build` describes."""
    entries = [dict(each) for each in index["builds"]]
    entry = next((each for each in entries if each["id"] == build_id), None)
    if entry is None:
        newer = order[: order.index(build_id)] if build_id in order else ()
        place = max((number for number, each in enumerate(entries, 1) if each["id"] in newer), default=0)
        entry = {"id": build_id, "arches": []}
        entries.insert(place, entry)
    if arch in entry["arches"]:
        return index
    entry["arches"] = [*entry["arches"], arch]
    return {**index, "builds": entries, "timestamp": rfc3339(datetime.now(UTC))}


def without(index: Json, build_ids: Collection[str]) -> Json:
    """The index without these builds."""
    entries = [each for each in index["builds"] if each["id"] not in build_ids]
    if len(entries) == len(index["builds"]):
        return index
    return {**index, "builds": entries, "timestamp": rfc3339(datetime.now(UTC))}


def change_index(builds: Path, change: Callable[[Json], Json]) -> Json:
    """Replace builds.json with the result of `change`, then point `latest` at the newest build.

    If no build is left, `latest` is removed first, so that it never points at a missing build.
    """
    path = builds / BUILDS
    with file_lock(path):
        before = read_index(builds)
        after = change(before)
        if not after["builds"]:
            (builds / LATEST).unlink(missing_ok=True)
        if after != before:
            write_json(path, after)
        if after["builds"]:
            _point(builds / LATEST, after["builds"][0]["id"])
        return after


def read_index(builds: Path) -> Json:
    """builds.json, or an empty one; `builds-version-unknown` for another schema version."""
    return checked_index(read_json(builds / BUILDS), str(builds / BUILDS))


def checked_index(index: Json, name: str) -> Json:
    """Check the content of a builds.json, as `read_index` does; `name` is the file's for errors."""
    index = index or {"schema-version": _VERSION, "builds": []}
    version = str(index.get("schema-version", "0.0.1"))
    if version.split(".")[0] != _VERSION.split(".")[0] or not isinstance(index.get("builds"), list):
        raise BootimgError(
            "builds-version-unknown",
            f"{name} has schema version {version:.80}, bootimg knows {_VERSION}",
            hint="choose another output directory with -o",
        )
    for entry in Fields(Node(index, partial(unreadable_meta, name))).objects("builds"):
        safe_name(entry.required("id", str), name)
        entry.needed("arches").each(str)
    return index


def newest_id(builds: Path) -> str | None:
    """The id of the newest build; None without builds, `build-meta-malformed` if it has no id."""
    entries = read_index(builds)["builds"]
    return str(entries[0]["id"]) if entries else None


def tags_of(index: Json) -> dict[str, list[str]]:
    """The names of the tags, by the ids of their builds."""
    found: dict[str, list[str]] = {}
    tags = index.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, dict) and isinstance(tag.get("target"), str):
            found.setdefault(tag["target"], []).append(str(tag.get("name")))
    return found


def _point(link: Path, target: str) -> None:
    if link.is_symlink() and os.readlink(link) == target:  # noqa: PTH115
        return
    fresh = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    fresh.symlink_to(target, target_is_directory=True)
    fresh.replace(link)
