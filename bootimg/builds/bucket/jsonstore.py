"""JSON documents that several writers share and none may lose: read, change, put if nobody was faster."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from bootimg.builds.malformed import parse_meta
from bootimg.errors import BootimgError

_TRIES = 20
Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object's content and the tag that changes with it."""

    data: bytes
    etag: str


class Store(Protocol):
    """What has such documents."""

    def read(self, key: str) -> Stored | None:
        """An object; None where there is none."""

    def put(self, key: str, data: bytes, replaces: str | None) -> bool:
        """Write an object, in one piece, if it still has the tag (None: if there is none); whether it did."""


def update(store: Store, key: str, change: Callable[[Json], Json]) -> Json:
    """Have the document say what `change` makes of what is there (empty where nothing is).

    `change` may be called again, for it must see what others have written meanwhile.
    """

    def changed(there: Stored | None) -> tuple[Json, bytes | None]:
        before = parse(there, key)
        after = change(before)
        return after, None if after == before else encode(after)

    return rewrite(store, key, changed)


def rewrite(store: Store, key: str, change: Callable[[Stored | None], tuple[T, bytes | None]]) -> T:
    """Put the bytes that `change` makes of what is there, if any, and return what it gives besides.

    It may be called again, as in `update`.
    """
    for _ in range(_TRIES):
        there = store.read(key)
        result, data = change(there)
        if data is None or store.put(key, data, there.etag if there else None):
            return result
    raise BootimgError(
        "bucket-changing",
        f"{key} was changed by others each of {_TRIES} times that it was to be written",
        hint="run the same command again: it goes on where it stopped",
    )


def parse(stored: Stored | None, key: str) -> Json:
    """The JSON object; empty where nothing is stored, `build-meta-malformed` where it is something else."""
    return {} if stored is None else parse_meta(stored.data, f"{key} in the bucket")


def encode(data: Mapping[str, Any]) -> bytes:
    """Indented by four, as coreos-assembler writes it."""
    return json.dumps(data, indent=4).encode() + b"\n"
