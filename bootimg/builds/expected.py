"""Which artifacts a build shall have: those of its stream, and those that were ever asked for.

Both stand in bootimg.json: the stream's as `expected`, the others as `asked`.  Whoever calls what changes
it holds the build.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bootimg.builds.meta import write_json
from bootimg.builds.record import RECORD, read_record, read_tree, record_fields

_ASKED = "asked"
Json = dict[str, Any]


def expect(folder: Path, keys: Iterable[str]) -> None:
    """Record that these artifacts were asked for, by their keys in meta.json."""
    join_record(folder, {_ASKED: sorted(keys)})


def expected(folder: Path) -> tuple[str, ...]:
    """The keys of the artifacts that the build shall have; none where nobody recorded it."""
    path = folder / RECORD
    return tuple(sorted({*read_record(folder).expected, *_asked(read_tree(path), str(path))}))


def join_record(folder: Path, other: Mapping[str, Any]) -> None:
    """Have bootimg.json say what another one of the same build says, where it says nothing itself."""
    path = folder / RECORD
    before = read_tree(path)
    after = joined(before, other, str(path))
    if after != before:
        write_json(path, after)


def joined(record: Mapping[str, Any], other: Mapping[str, Any], name: str) -> Json:
    """What both say: `record` is believed, what was asked for adds up; `name` is for errors."""
    both = {**other, **record}
    asked = sorted({*_asked(record, name), *_asked(other, name)})
    return {**both, _ASKED: asked} if asked else both


def _asked(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return record_fields(record, name).each(_ASKED, str)
