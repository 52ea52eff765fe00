"""JSON as the Go programs of this field write it, and the objects that they are given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.untrusted.jsonfile import parse_object

# What encoding/json escapes beyond what JSON needs, so that the text may stand in HTML and JavaScript.
_ESCAPES = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
Json = dict[str, Any]


def go_json(tree: Mapping[str, Any], *, indent: int | None = 2) -> bytes:
    """The bytes that encoding/json of Go 1.22 and later writes with that indentation and a final newline.

    None is `json.Marshal`'s way: one line that does not end.  The order of keys is the tree's: a struct's is
    that of its fields, a map's is sorted.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(tree, indent=indent, separators=separators, ensure_ascii=False)
    return text.translate(_ESCAPES).encode() + (b"" if indent is None else b"\n")


def parse_tree(data: bytes, name: str) -> Json:
    """A JSON object; `stream-malformed` if it is not one, with `name` in the words."""
    return parse_object(data, partial(malformed_stream, name)).values


def malformed_stream(name: str, why: str) -> BootimgError:
    """The error for a file that is not what it should be."""
    return BootimgError(
        "stream-malformed",
        f"{name} cannot be used: {printable(why)}",
        hint="name a stream's JSON file, such as data/data/coreos/coreos-rhel-9.json of openshift/installer",
        exit_code=ExitCode.USAGE,
    )
