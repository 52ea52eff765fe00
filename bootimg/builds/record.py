"""bootimg.json, beside a build's meta.json: what the build was meant to be.

meta.json has coreos-assembler's schema, which allows no other key.  Keys that others put here stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.builds.made import Made, read_made
from bootimg.builds.malformed import malformed_record
from bootimg.builds.meta import write_json
from bootimg.builds.source import Source, read_source
from bootimg.sizes import MIB
from bootimg.untrusted.files import read_start
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.node import Fields, Node

RECORD = "bootimg.json"
LIMIT = MIB
SKIP_KEY = "skip-disk-images"
_IMAGE_JSON, _SOURCE = "image-json", "source"
_NO_REASON = "no reason was given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A build of one architecture, as it was asked for.

    `skip_reason` says why it has no disk images but QEMU's; None where it was not to skip any.  `expected`
    are the keys in meta.json's `images` that the stream's builds have, `left_out` the stream's artifacts
    that this bootimg does not make, with the reason.  `image_json` has the values of the layer's image.json
    that concern uploads, None if they are not known.  `made` says how each artifact was made, by its key in
    meta.json.  `source` is the layer; None if another program put it into the build, or an older bootimg.
    """

    stream: str | None = None
    skip_reason: str | None = None
    expected: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, Made] = field(default_factory=dict)
    image_json: Mapping[str, Any] | None = None
    source: Source | None = None

    def as_dict(self) -> dict[str, Any]:
        """Its keys in the file; None where there is nothing to say."""
        return {
            "stream": self.stream,
            SKIP_KEY: self.skip_reason,
            "expected": list(self.expected) or None,
            "left-out": dict(self.left_out) or None,
            _IMAGE_JSON: None if self.image_json is None else dict(self.image_json),
            "made": {key: each.as_dict() for key, each in self.made.items()} or None,
            _SOURCE: self.source.as_dict() if self.source else None,
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
        data = read_start(path, LIMIT)
    except FileNotFoundError:
        return {}
    return parse_tree(data, str(path))


def parse_tree(data: bytes, name: str) -> dict[str, Any]:
    """The object in a file's bytes; `build-record-malformed`, with `name` in the words."""
    return parse_object(data, partial(malformed_record, name), limit=LIMIT).values


def record_fields(tree: Mapping[str, Any], name: str) -> Fields:
    """The keys of a bootimg.json, whose errors are `build-record-malformed` with `name` in the words."""
    return Fields(Node(dict(tree), partial(malformed_record, name)))


def _record(tree: Mapping[str, Any], name: str) -> Record:
    fields = record_fields(tree, name)
    skip = fields.at(SKIP_KEY).value
    if not isinstance(skip, bool):
        skip = fields.take(SKIP_KEY, str)
    return Record(
        stream=fields.take("stream", str),
        skip_reason=skip if isinstance(skip, str) and skip else _NO_REASON if skip else None,
        expected=fields.each("expected", str),
        left_out={key: each.of(str) for key, each in fields.members("left-out").items()},
        image_json=None
        if fields.is_absent(_IMAGE_JSON)
        else {key: each.value for key, each in fields.members(_IMAGE_JSON).items()},
        made={key: read_made(each.fields()) for key, each in fields.members("made").items()},
        source=None if fields.is_absent(_SOURCE) else read_source(fields.nested(_SOURCE)),
    )
