"""JSON by RFC 8259: UTF-8, no key twice in an object, no NaN and no infinite number."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from bootimg.untrusted.node import Fields, Node
from bootimg.untrusted.tree import (
    LIMIT,
    VALUES,
    Malformed,
    Refuse,
    clean_tree,
    refusing,
    require_size,
    unique,
)


def parse_json(data: bytes, refuse: Refuse = Malformed, *, limit: int = LIMIT, exact: bool = False) -> Node:
    """The document in a file's bytes; the error is `refuse`'s.

    With `exact` a lone surrogate is refused, as stricter readers do, and not replaced.
    """
    require_size(data, limit, refuse)
    # Each value but the first of an object or a list follows a comma; some of these bytes are in texts.
    if sum(map(data.count, (b",", b"[", b"{"))) > VALUES:
        raise refuse(f"it has more than {VALUES} values")
    with refusing("JSON", refuse):
        tree = json.loads(
            data.decode(), object_pairs_hook=unique, parse_constant=_no_number, parse_float=_finite
        )
        cleaned = clean_tree(tree)
        if exact and cleaned != tree:
            raise Malformed("a text in it has a lone surrogate")
        return Node(cleaned, refuse)


def parse_object(data: bytes, refuse: Refuse = Malformed, *, limit: int = LIMIT) -> Fields:
    """The same of a document that has to be an object."""
    return parse_json(data, refuse, limit=limit).fields()


def find_object(data: bytes) -> dict[str, Any] | None:
    """The object, for a reader that does without; None where the bytes are not one."""
    try:
        return parse_object(data).values
    except Malformed:
        return None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text:.80} is too large a number")
    return number
