"""Merges two states of one build's meta.json by their stamps, as coreos-assembler does.

A stamp is the time of the last change in nanoseconds.  A value that only one state has is kept; if both
have different values, the newer state wins.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from bootimg.errors import BootimgError
from bootimg.platform import upload_places

STAMP = "coreos-assembler.meta-stamp"
# The keys that coreos-assembler requires to be equal, and the keys that identify the build.
_FIXED: tuple[tuple[str, ...], ...] = (
    ("buildid",),
    ("name",),
    ("ostree-commit",),
    ("ostree-content-checksum",),
    ("coreos-assembler.basearch",),
    ("coreos-assembler.image-config-checksum",),
    ("coreos-assembler.container-config-git", "commit"),
)
_IMAGES = "images"
_LAST = 1 << 63
Json = dict[str, Any]


def require_same_build(one: Mapping[str, Any], other: Mapping[str, Any], where: str) -> None:
    """`build-conflict` if both have a commit, a name, … and the values differ."""
    for path in _FIXED:
        before, after = _at(one, path), _at(other, path)
        if before is not None and after is not None and before != after:
            raise BootimgError(
                "build-conflict",
                f"{where} holds another build under the same id: its {'.'.join(path)} differs",
                context=[f"there: {before}", f"here:  {after}"],
                hint="choose another output directory with -o, or remove the old build",
            )


def merged(one: Mapping[str, Any], other: Mapping[str, Any], where: str) -> Json:
    """The merged state of a build; `where` is the location for the error `build-conflict`.

    An entry of `images` is never merged in itself.  The result gets a new stamp if it equals neither state.
    """
    require_same_build(one, other, where)
    older, newer = sorted((one, other), key=_age)
    both = {**_union(older, newer), STAMP: newer.get(STAMP, 0)}
    if both in (newer, {**newer, STAMP: 0}):
        return dict(newer)
    return {**both, STAMP: stamp_after(newer)}


def with_images(document: Json, images: Mapping[str, Any]) -> Json:
    """The document with these entries of `images`, regardless of the stamps."""
    after = {**document, _IMAGES: {**document.get(_IMAGES, {}), **images}}
    return document if after == document else {**after, STAMP: stamp_after(document)}


def stamp_after(document: Mapping[str, Any]) -> int:
    """A stamp for a change of the document made now; a clock that went back does not make it older."""
    return max(time.time_ns(), _stamp(document) + 1)


def _stamp(document: Mapping[str, Any]) -> int:
    found = document.get(STAMP)
    # Python refuses to print an integer of thousands of digits.
    return int(found) if isinstance(found, int | float) and abs(found) < _LAST else 0


def _age(document: Mapping[str, Any]) -> tuple[int, str]:
    # With equal stamps and different content, both writers must use the same order.
    return _stamp(document), json.dumps(document, sort_keys=True)


def _union(older: Mapping[str, Any], newer: Mapping[str, Any]) -> Json:
    found = dict(older)
    for key, value in newer.items():
        found[key] = _both(key, older[key], value) if key in older else value
    return found


def _both(key: str, older: object, newer: object) -> object:
    if isinstance(older, dict) and isinstance(newer, dict):
        return {**older, **newer} if key == _IMAGES else _union(older, newer)
    # Lists with one object for each region; two uploads may each have added to them.
    name = upload_places().get(key)
    if name and isinstance(older, list) and isinstance(newer, list):
        replaced = [each.get(name) for each in newer if isinstance(each, dict)]
        kept = [each for each in older if not isinstance(each, dict) or each.get(name) not in replaced]
        return [each for each in kept if each not in newer] + newer
    return newer


def _at(document: object, path: tuple[str, ...]) -> object:
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
