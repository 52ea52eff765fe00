"""The artifacts that a build should have: those of its stream, and those that a user ever requested.

Both are in bootimg.json: the stream's as `expected`, the others as `asked`.  Callers of functions that
change the file hold the build's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bootimg.builds.diskrecord import DISKS_KEY, disk_pushes, joined_pushes
from bootimg.builds.meta import write_json
from bootimg.builds.record import RECORD, read_record, read_tree, record_fields

_REQUESTED, _MADE = "asked", "made"
Json = dict[str, Any]


def expect(folder: Path, keys: Iterable[str]) -> None:
    """Record that the user requested these artifacts, by their keys in meta.json."""
    join_record(folder, {_REQUESTED: sorted(keys)})


def expected(folder: Path) -> tuple[str, ...]:
    """The keys of the artifacts that the build should have; none without a record."""
    path = folder / RECORD
    return tuple(sorted({*read_record(folder).expected, *_requested(read_tree(path), str(path))}))


def join_record(folder: Path, other: Mapping[str, Any]) -> None:
    """Add the values of another bootimg.json of the same build to this one; existing values stay."""
    path = folder / RECORD
    before = read_tree(path)
    after = joined(before, other, str(path))
    if after != before:
        write_json(path, after)


def joined(record: Mapping[str, Any], other: Mapping[str, Any], name: str) -> Json:
    """Two records combined: values of `record` win, requests of both are kept; `name` is for errors.

    How artifacts were made, and where disks were pushed to, is combined one by one.
    """
    both = {**other, **record}
    if made := {**_made(other, name), **_made(record, name)}:
        both[_MADE] = made
    if pushes := joined_pushes(disk_pushes(other, name), disk_pushes(record, name)):
        both[DISKS_KEY] = pushes
    requested = sorted({*_requested(record, name), *_requested(other, name)})
    return {**both, _REQUESTED: requested} if requested else both


def _requested(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return record_fields(record, name).each(_REQUESTED, str)


def _made(record: Mapping[str, Any], name: str) -> Json:
    return {key: each.value for key, each in record_fields(record, name).members(_MADE).items()}
