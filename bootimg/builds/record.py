"""bootimg.json: what bootimg knows of a build that meta.json has no key for.

Whatever reads meta.json strictly (kola refuses keys that it does not know) never sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bootimg.builds.locks import file_lock
from bootimg.builds.meta import read_json, write_json
from bootimg.errors import BootimgError

RECORD = "bootimg.json"
_EXPECTED = "expected"
Json = dict[str, Any]


def read_record(folder: Path) -> Json:
    """bootimg.json of a build of one architecture; empty where there is none."""
    return read_json(folder / RECORD)


def update_record(folder: Path, facts: Mapping[str, object]) -> None:
    """Have bootimg.json say these facts; nothing is written where it does."""
    path = folder / RECORD
    with file_lock(path):
        before = read_json(path)
        after = {**before, **facts}
        if after != before:
            write_json(path, after)


def join_record(folder: Path, other: Mapping[str, Any]) -> None:
    """Add what another bootimg.json of the same build says."""
    if facts := joined(read_record(folder), other, str(folder / RECORD)):
        update_record(folder, facts)


def joined(record: Mapping[str, Any], other: Mapping[str, Any], name: str) -> Json:
    """What both say: what `record` has is believed, what is expected adds up; `name` is for errors."""
    both = {**other, **record}
    wanted = sorted({*_keys(record, name), *_keys(other, name)})
    return {**both, _EXPECTED: wanted} if _EXPECTED in both else both


def expect(folder: Path, keys: Iterable[str]) -> None:
    """Record that the build shall have these artifacts, besides those it was to have before."""
    update_record(folder, {_EXPECTED: sorted({*expected(folder), *keys})})


def expected(folder: Path) -> tuple[str, ...]:
    """The keys of the artifacts that the build shall have; none where nobody recorded it."""
    return _keys(read_record(folder), str(folder / RECORD))


def _keys(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = record.get(_EXPECTED, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BootimgError("build-meta-malformed", f"{name} cannot be read: {_EXPECTED} is no list of names")
    return tuple(found)
