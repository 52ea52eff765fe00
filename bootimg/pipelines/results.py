"""A verb's result as the results of a Tekton task: one small file for each."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bootimg.atomic import write_whole
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.sizes import MIB
from bootimg.untrusted.files import read_start
from bootimg.untrusted.jsonfile import parse_json

LIMIT = 3500
"""The bytes of all results of a task: Tekton hands them on in a message of 4096, which has more in it."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_ENTRY = 40
"""What the message has of a result besides its name and its text."""
_LENGTH = "length"
_DOCUMENT = 64 * MIB


def read_document(path: Path) -> object:
    """The document that a verb printed; `pipeline-result-missing` if the file has none."""
    try:
        data = sys.stdin.buffer.read(_DOCUMENT + 1) if str(path) == "-" else read_start(path, _DOCUMENT)
    except OSError as error:
        raise _missing(f"{path} cannot be read: {error.strerror}") from None
    return parse_json(
        data, lambda why: _missing(f"{path} has no JSON document: {why}"), limit=_DOCUMENT
    ).value


def read_results(document: object, words: Iterable[str]) -> dict[str, str]:
    """The text of each result; a word is `NAME=FIELD`, or the name of a field alone.

    FIELD has keys and the numbers of a list's items with dots between them; `length` is that of a list.  A
    list's text is its JSON, as Tekton has arrays.  Errors: `pipeline-result-missing`,
    `pipeline-result-too-large`.
    """
    found = dict(_result(document, word) for word in words)
    size = sum(len(name.encode()) + len(text.encode()) + _ENTRY for name, text in found.items())
    if size > LIMIT:
        raise BootimgError(
            "pipeline-result-too-large",
            f"the results have {size} bytes, and Tekton hands on {LIMIT} of a task",
            context=[f"{name}: {len(text.encode())} bytes" for name, text in found.items()],
            hint="hand on digests and keys, and leave documents in the bucket",
        )
    return found


def write_results(folder: Path, found: Mapping[str, str]) -> None:
    """Write each result as a file of its name."""
    for name, text in found.items():
        write_whole(folder / name, text.encode())


def _result(document: object, word: str) -> tuple[str, str]:
    name, _, field = word.partition("=")
    field = field or name
    if not _NAME.fullmatch(name):
        raise _missing(f"{printable(name)!r:.100} is not the name of a result")
    value = document
    for part in field.split("."):
        value = _part(value, part, field)
    return name, _text(value)


def _part(value: object, part: str, field: str) -> object:
    if isinstance(value, dict) and part in value:
        found: object = value[part]
        return found
    if isinstance(value, list):
        if part == _LENGTH:
            return len(value)
        if part.isascii() and part.isdigit() and int(part) < len(value):
            return value[int(part)]
    raise _missing(f"the document has no {printable(field):.200}: it ends at {printable(part):.100}")


def _text(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _missing(why: str) -> BootimgError:
    return BootimgError(
        "pipeline-result-missing",
        why,
        hint="write NAME=FIELD, with a field of the document that the verb prints with --json",
        exit_code=ExitCode.USAGE,
    )
