"""Mutations that keep an input's structure, without which hardly one would get past the parser of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

SEPARATOR = b"\0"
"""Between the documents of an input with more than one."""
_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 512, 2**31, 2**63, 2**64, 10**400, 1.5, -0.0, 1e400, float("nan"),
    "", "0", "a", "x" * 300, "\0", "\n", "\x1b[2J", "\ud800", "\u2028", "..", "/", "a/b",
    "sha256:" + "0" * 64, "0" * 64, "9.6.20261101-0", "x86_64", "1 MiB", "${STREAM}",
    [], {}, [None], [[]], [{}], {"": ""}, {"a": {}}, ["a", "a"],
)  # fmt: skip
Mutation = Callable[[bytes, int], bytes]
Slot = tuple[Any, Any]


def changed_bytes(data: bytes, longest: int, random: Random, words: Sequence[bytes] = ()) -> bytes:
    """Change one place, without regard for any structure."""
    found, at = bytearray(data), random.randint(0, len(data))
    kind = random.randrange(7)
    if kind == 0:
        found[at : at + 1] = bytes([random.randrange(256)])
    elif kind == 1:
        found[at : at + 1] = bytes([found[at] ^ 1 << random.randrange(8)]) if at < len(found) else b""
    elif kind == 2:
        width, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
        number = random.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), random.randrange(256)))
        found[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, order)
    elif kind == 3:
        del found[at : at + random.choice((1, 4, 512, len(found)))]
    elif kind == 4:
        found[at:at] = found[random.randint(0, len(found)) :][: random.choice((1, 16, 512))]
    elif kind == 5 and words:
        found[at:at] = random.choice(words)
    else:
        length = random.choice((1, 16, 512))
        found[at : at + length] = bytes(length)
    return bytes(found[:longest])


def json_documents(data: bytes, longest: int, seed: int, plain: Mutation) -> bytes:
    """Change one place of one of the JSON documents, else (and now and then) the bytes."""
    random = Random(seed)
    documents = data.split(SEPARATOR)
    chosen = random.randrange(len(documents))
    try:
        tree = json.loads(documents[chosen])
    except (ValueError, RecursionError):
        return plain(data, longest)
    if random.random() < 0.2:
        return plain(data, longest)
    for _ in range(random.choice((1, 1, 2, 4))):
        tree = _changed(tree, random)
    documents[chosen] = json.dumps(tree).encode()
    found = SEPARATOR.join(documents)
    return found if len(found) <= longest else plain(data, longest)


def _changed(tree: Any, random: Random) -> Any:  # noqa: ANN401
    slots = list(_slots(tree))
    if not slots:
        return _odd(random)
    holder, key = random.choice(slots)
    kind = random.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, there = random.choice(slots)
        # By its text, so that no tree holds itself.
        holder[key] = json.loads(json.dumps(other[there]))
    elif kind == 2 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif kind == 2:
        holder[str(random.choice(_ODD))[:300]] = holder.pop(key)
    elif kind == 3 and isinstance(holder[key], str):
        holder[key] = _text(holder[key], random)
    else:
        holder[key] = _odd(random)
    return tree


def _odd(random: Random) -> Any:  # noqa: ANN401
    return deepcopy(random.choice(_ODD))


def _text(text: str, random: Random) -> str:
    at = random.randint(0, len(text))
    more = random.choice(
        ("\0", "\n", "\x1b", "/", "-", ".", ":", " ", "0", "9" * 20, "\u0660", "é", "\ud800")
    )
    return random.choice((text[:at], text[at:], text[:at] + more + text[at:], text * 2))


def _slots(tree: Any) -> list[Slot]:  # noqa: ANN401
    """Every place of a tree: what holds it, and its key or index there."""
    found: list[Slot] = []
    todo = [tree]
    while todo:
        holder = todo.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            found.append((holder, key))
            todo.append(holder[key])
    return found
