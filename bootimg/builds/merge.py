"""Two states of one build's meta.json become one, as coreos-assembler does it: by their stamps.

A stamp is the time of the last change in nanoseconds.  What only one state has stays; where both say
something different, the newer one is believed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from bootimg.errors import BootimgError

STAMP = "coreos-assembler.meta-stamp"
# What coreos-assembler refuses to merge when it differs, and what names the build.
_FIXED: tuple[tuple[str, ...], ...] = (
    ("buildid",),
    ("name",),
    ("ostree-commit",),
    ("ostree-content-checksum",),
    ("coreos-assembler.basearch",),
    ("coreos-assembler.image-config-checksum",),
    ("coreos-assembler.container-config-git", "commit"),
)
# Lists with one object for each region, which two uploads may each have added to.
_REGIONS = {"amis": "name", "aws-winli": "name", "aliyun": "name", "ibmcloud": "region", "powervs": "region"}
_IMAGES = "images"
_LAST = 1 << 63
Json = dict[str, Any]


def require_same_build(one: Mapping[str, Any], other: Mapping[str, Any], where: str) -> None:
    """`build-conflict` where both name a commit, a name, … and it is not the same."""
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
    """What both states of a build say; `where` names the place for the error `build-conflict`.

    An entry of `images` is taken whole.  The result has a stamp of its own if it is neither of them.
    """
    require_same_build(one, other, where)
    older, newer = sorted((one, other), key=_age)
    both = {**_union(older, newer), STAMP: newer.get(STAMP, 0)}
    if both in (newer, {**newer, STAMP: 0}):
        return dict(newer)
    return {**both, STAMP: stamp_after(newer)}


def with_images(document: Json, images: Mapping[str, Any]) -> Json:
    """The document with these entries of `images`, whatever its stamp says of their age."""
    after = {**document, _IMAGES: {**document.get(_IMAGES, {}), **images}}
    return document if after == document else {**after, STAMP: stamp_after(document)}


def stamp_after(document: Mapping[str, Any]) -> int:
    """A stamp for a change of the document made now; a clock that went back does not make it older."""
    return max(time.time_ns(), _stamp(document) + 1)


def _stamp(document: Mapping[str, Any]) -> int:
    found = document.get(STAMP)
    # Of some thousand digits Python would not write it again.
    return int(found) if isinstance(found, int | float) and abs(found) < _LAST else 0


def _age(document: Mapping[str, Any]) -> tuple[int, str]:
    # Equal stamps with different content: any order does that is the same for both writers.
    return _stamp(document), json.dumps(document, sort_keys=True)


def _union(older: Mapping[str, Any], newer: Mapping[str, Any]) -> Json:
    found = dict(older)
    for key, value in newer.items():
        found[key] = _both(key, older[key], value) if key in older else value
    return found


def _both(key: str, older: object, newer: object) -> object:
    if isinstance(older, dict) and isinstance(newer, dict):
        return {**older, **newer} if key == _IMAGES else _union(older, newer)
    name = _REGIONS.get(key)
    if name and isinstance(older, list) and isinstance(newer, list):
        replaced = [each.get(name) for each in newer if isinstance(each, dict)]
        kept = [each for each in older if not isinstance(each, dict) or each.get(name) not in replaced]
        return [each for each in kept if each not in newer] + newer
    return newer


def _at(document: object, path: tuple[str, ...]) -> object:
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
