"""bootimg.json, beside a build's meta.json: what the build was meant to be.

meta.json has coreos-assembler's schema, which allows no other key.  Keys that others put here stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootimg.builds.meta import write_json
from bootimg.errors import BootimgError
from bootimg.sizes import MIB

RECORD = "bootimg.json"
LIMIT = MIB
SKIP_KEY = "skip-disk-images"
_NO_REASON = "no reason was given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A build of one architecture, as it was asked for.

    `skip_reason` says why it has no disk images but QEMU's; None where it was not to skip any.  `expected`
    are the keys in meta.json's `images` that the stream's builds have, `left_out` the stream's artifacts
    that this bootimg does not make, with the reason.
    """

    stream: str | None = None
    skip_reason: str | None = None
    expected: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Its keys in the file; None where there is nothing to say."""
        return {
            "stream": self.stream,
            SKIP_KEY: self.skip_reason,
            "expected": list(self.expected) or None,
            "left-out": dict(self.left_out) or None,
        }


NOTHING = Record()
"""The record of a build that has none."""


def read_record(folder: Path) -> Record:
    """The record of the build in a folder; one that says nothing if there is none."""
    path = folder / RECORD
    return _record(read_tree(path), str(path))


def parse_record(data: bytes, name: str) -> Record:
    """The record in a file's bytes; `build-record-malformed`, with `name` in the words."""
    return _record(parse_tree(data, name), name)


def change_record(folder: Path, record: Record) -> None:
    """Have the folder's file say so, whole or not at all; nothing is written where nothing changes."""
    path = folder / RECORD
    before = read_tree(path)
    changes = record.as_dict()
    after = {
        key: value for key, value in (before | changes).items() if key not in changes or value is not None
    }
    if after != before:
        write_json(path, after)


def read_tree(path: Path) -> dict[str, Any]:
    """The whole object of a bootimg.json, others' keys too; empty if there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except FileNotFoundError:
        return {}
    return parse_tree(data, str(path))


def parse_tree(data: bytes, name: str) -> dict[str, Any]:
    """The object in a file's bytes; `build-record-malformed`, with `name` in the words."""
    if len(data) > LIMIT:
        raise malformed(name, f"it has more than {LIMIT} bytes")
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise malformed(name, f"it is not JSON ({error})") from None
    if not isinstance(tree, dict):
        raise malformed(name, "it is not an object")
    return tree


def _record(tree: Mapping[str, Any], name: str) -> Record:
    stream, skip = tree.get("stream"), tree.get(SKIP_KEY)
    told = {key: value for key, value in tree.items() if value is not None}
    expected, left_out = told.get("expected", []), told.get("left-out", {})
    good = isinstance(stream, str | None) and isinstance(skip, str | bool | None)
    if not good or not isinstance(expected, list) or not isinstance(left_out, dict):
        raise malformed(name, f"stream, {SKIP_KEY}, expected or left-out is of another kind")
    if not all(isinstance(each, str) for each in [*expected, *left_out.values()]):
        raise malformed(name, "expected or left-out holds something that is not a text")
    reason = skip if isinstance(skip, str) and skip else _NO_REASON if skip else None
    return Record(stream=stream, skip_reason=reason, expected=tuple(expected), left_out=left_out)


def malformed(name: str, why: str) -> BootimgError:
    """The error for such a file."""
    return BootimgError(
        "build-record-malformed",
        f"{name} cannot be read: {why}",
        hint="bootimg writes it whole or not at all: get it again from where the build was made",
    )
