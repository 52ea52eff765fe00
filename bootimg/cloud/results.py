"""The results of uploads in meta.json: merged by place, never overwritten as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bootimg.builds.malformed import malformed_meta
from bootimg.builds.meta import MetaFile
from bootimg.cloud.task import Entry
from bootimg.errors import BootimgError, ExitCode
from bootimg.platform import Upload

Json = dict[str, Any]


def entries_of(meta: Mapping[str, Any], upload: Upload, where: str) -> Sequence[Entry]:
    """The entries of an upload in a meta.json; `build-meta-malformed` if one lacks a field."""
    value = meta.get(upload.meta_key)
    found = [] if value is None else value if isinstance(value, list) else [value]
    for each in found:
        if not isinstance(each, dict) or not all(isinstance(each.get(key), str) for key in upload.fields):
            needed = ", ".join(upload.fields)
            raise malformed_meta(where, f"has an entry of {upload.meta_key} without {needed}")
    return found


def record(meta: MetaFile, upload: Upload, entry: Entry) -> None:
    """Add an entry, or replace the one of the same place."""
    missing = [key for key in upload.fields if not isinstance(entry.get(key), str)]
    if missing:
        raise BootimgError(
            "uploader-broken",
            f"the uploader's result for {upload.meta_key} has no {', '.join(missing)}",
            hint="tell the author of the uploader's plugin",
            exit_code=ExitCode.ENVIRONMENT,
        )
    meta.join(lambda document: with_entry(document, upload, entry))


def with_entry(document: Json, upload: Upload, entry: Entry) -> Json:
    """The document with the entry."""
    before, place = document.get(upload.meta_key), upload.form.place_field
    if place is None:
        return {**document, upload.meta_key: {**(before or {}), **entry}}
    found = [dict(each) for each in before or []]
    for each in found:
        if each.get(place) == entry[place]:
            each.update(entry)
            break
    else:
        found.append(dict(entry))
    return {**document, upload.meta_key: found}
