"""Pushes in meta.json: the schema's `primary-image`, merged with what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootimg.builds.meta import MetaFile

MORE = "additional-images"
Json = dict[str, Any]


def record_push(meta: MetaFile, key: str, entry: Mapping[str, Any], *, primary: bool) -> None:
    """Record that an image is in a repository (`image`): as the first one of its kind, or as a further one.

    An entry of the same repository is changed.  One of another repository stays, as a further image.
    """
    meta.join(lambda document: {**document, key: _joined(document.get(key) or {}, dict(entry), primary)})


def _joined(before: Mapping[str, Any], entry: Json, primary: bool) -> Json:
    images = [{name: value for name, value in before.items() if name != MORE}] if before else []
    images += [dict(each) for each in before.get(MORE, ())]
    found = next((each for each in images if each.get("image") == entry["image"]), None)
    if found is None:
        found = {}
        images.insert(0 if primary else len(images), found)
    elif primary:
        images.remove(found)
        images.insert(0, found)
    # Tags of other content do not name this.
    if found.get("digest") not in (None, entry["digest"]):
        found.clear()
    found.update(entry)
    first, *others = images
    return {**first, MORE: others} if others else first
