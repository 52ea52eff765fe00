"""The disks of a build that are OCI artifacts in registries, recorded in bootimg.json.

The schema of meta.json has no key for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bootimg.builds.locks import build_lock
from bootimg.builds.meta import write_json
from bootimg.builds.record import RECORD, read_tree, record_fields

DISKS_KEY = "disk-artifacts"
_WAIT = 60.0
Json = dict[str, Any]


def read_disk_pushes(folder: Path) -> list[Json]:
    """The pushes that a build's folder records; `build-record-malformed`.

    Each has `image` (the repository) and `digest` (the manifest's); `platform` (the key in meta.json),
    `manifest-list-digest` and `tags` are there where they are known.
    """
    path = folder / RECORD
    return disk_pushes(read_tree(path), str(path))


def disk_pushes(record: Mapping[str, Any], name: str) -> list[Json]:
    """The pushes in the object of a bootimg.json; `name` is for the error."""
    return [
        {
            "image": each.required("image", str),
            "digest": each.required("digest", str),
            **{key: found for key in ("platform", "manifest-list-digest") if (found := each.take(key, str))},
            **({"tags": list(tags)} if (tags := each.each("tags", str)) else {}),
        }
        for each in record_fields(record, name).objects(DISKS_KEY)
    ]


def record_disk_push(folder: Path, entry: Mapping[str, Any]) -> None:
    """Add a push, or what is known of it now; waits a minute for other work on the build: `build-running`."""
    with build_lock(folder, wait=_WAIT):
        path = folder / RECORD
        before = read_tree(path)
        found = joined_pushes(disk_pushes(before, str(path)), [dict(entry)])
        if found != before.get(DISKS_KEY):
            write_json(path, {**before, DISKS_KEY: found})


def joined_pushes(pushes: Sequence[Json], others: Sequence[Json]) -> list[Json]:
    """The pushes of both, each digest of a repository once; values of `others` win, and tags are kept."""
    found: dict[tuple[str, str], Json] = {}
    for each in (*pushes, *others):
        known = found.setdefault((each["image"], each["digest"]), {})
        tags = sorted({*known.get("tags", ()), *each.get("tags", ())})
        known.update(each, **({"tags": tags} if tags else {}))
    return sorted(found.values(), key=lambda each: (each["image"], each.get("platform", ""), each["digest"]))
