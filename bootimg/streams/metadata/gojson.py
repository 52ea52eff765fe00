"""JSON as the Go programs of this field write it, and reading JSON that anybody may have written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.sizes import MIB

LIMIT = 16 * MIB
"""More bytes than any stream, release or meta.json has; the largest known stream has 0.3 MiB."""
# What encoding/json escapes beyond what JSON needs, so that the text may stand in HTML and JavaScript.
_ESCAPES = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
_LONE = re.compile("[\ud800-\udfff]")
Json = dict[str, Any]


def go_json(tree: Mapping[str, Any], *, indent: int | None = 2) -> bytes:
    """The bytes that encoding/json of Go 1.22 and later writes with that indentation and a final newline.

    None is `json.Marshal`'s way: one line that does not end.  The order of keys is the tree's: a struct's is
    that of its fields, a map's is sorted.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(tree, indent=indent, separators=separators, ensure_ascii=False)
    return text.translate(_ESCAPES).encode() + (b"" if indent is None else b"\n")


def parse_object(data: bytes, name: str) -> Json:
    """A JSON object of at most `LIMIT` bytes; `stream-malformed` if it is none, with `name` in the words."""
    if len(data) > LIMIT:
        raise malformed(name, f"it has more than {LIMIT} bytes")
    try:
        tree = json.loads(data)
    except RecursionError:
        raise malformed(name, "it is nested too deeply") from None
    except ValueError as error:
        raise malformed(name, f"it is not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise malformed(name, "it is not an object")
    return tree


def clean(text: str) -> str:
    """The text with U+FFFD for what is no character, as Go's decoder has it."""
    return _LONE.sub("\ufffd", text)


def malformed(name: str, why: str) -> BootimgError:
    """The error for a file that is not what it should be."""
    return BootimgError(
        "stream-malformed",
        f"{name} cannot be used: {printable(why)}",
        hint="name a stream's JSON file, such as data/data/coreos/coreos-rhel-9.json of openshift/installer",
        exit_code=ExitCode.USAGE,
    )
