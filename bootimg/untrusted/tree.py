"""What holds for every parsed document: its size, its depth, its texts, and how a refusal is worded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from bootimg.sizes import MIB

DEPTH = 100
"""Levels of lists and objects, far more than any of the formats needs."""
LIMIT = 16 * MIB
"""Bytes, where a kind of file has no smaller limit; the largest known stream has 0.3 MiB."""
VALUES = 1_000_000
"""Values of one JSON document: a million of the smallest take 250 MiB."""
_LONE = re.compile("[\ud800-\udfff]")


class Malformed(ValueError):
    """What is wrong with a document, for a reader that passes over it."""


Refuse = Callable[[str], Exception]
"""Makes the error of one kind of file from what is wrong: `it is …`, or the path of a value and its fault."""


def require_size(data: bytes, limit: int, refuse: Refuse) -> None:
    """Refuse a document of more than `limit` bytes."""
    if len(data) > limit:
        raise refuse(f"it has more than {limit} bytes")


@contextmanager
def refusing(language: str, refuse: Refuse, *faults: type[Exception]) -> Iterator[None]:
    """Turn whatever a parser of that language raises (ValueError and `faults`) into the file's error."""
    known: tuple[type[Exception], ...] = (ValueError, *faults)
    try:
        yield
    except RecursionError:
        raise refuse("it is nested too deeply") from None
    except Malformed as error:
        raise refuse(str(error)) from None
    except known as error:
        raise refuse(f"it is not {language}: {' '.join(str(error).split())[:300]}") from None


def unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The object; Malformed if a key stands twice, because programs differ in which value they take."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Malformed(f"the key {key!r:.80} stands twice in one object")
        found[key] = value
    return found


def clean(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, as Go's decoder does; such a text has no UTF-8."""
    return _LONE.sub("\ufffd", text)


def clean_tree(value: Any, left: int = DEPTH) -> Any:  # noqa: ANN401
    """The value with clean texts; Malformed if it is nested deeper than `left` levels."""
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, dict | list):
        return value
    if not left:
        raise Malformed("it is nested too deeply")
    if isinstance(value, dict):
        return unique((clean(key), clean_tree(each, left - 1)) for key, each in value.items())
    return [clean_tree(each, left - 1) for each in value]
