"""meta.json: what it says of a build, and how it changes.

The schema is coreos-assembler's v1.  The file is written whole, after everything that it names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.atomic import whole_file
from bootimg.builds.locks import file_lock
from bootimg.builds.malformed import parse_meta
from bootimg.builds.merge import STAMP, require_same_build, stamp_after
from bootimg.formats.output import Written
from bootimg.untrusted.files import read_start
from bootimg.untrusted.tree import LIMIT

_PREFIX = "coreos-assembler"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerIdentity:
    """What meta.json says of the layer a build is made from.

    `commit` and `content_checksum` are of the ostree commit that is deployed, `created` is the
    image's own time stamp, `image_json` the layer's image.json as it is, `inputs` whatever else
    decides what the images will be (manifest digest, recipe, options).
    """

    name: str
    build_id: str
    version: str
    arch: Arch
    commit: str
    created: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    content_checksum: str | None = None
    image_json: bytes | None = None
    inputs: tuple[str, ...] = ()


def layer_meta(layer: LayerIdentity) -> Json:
    """The part of meta.json that a layer decides; `images` comes with the artifacts."""
    created = rfc3339(layer.created)
    meta: Json = {
        "buildid": layer.build_id,
        "name": layer.name,
        "ostree-commit": layer.commit,
        "ostree-version": layer.version,
        "ostree-timestamp": created,
        f"{_PREFIX}.basearch": layer.arch.value,
        f"{_PREFIX}.build-timestamp": created,
        f"{_PREFIX}.code-source": "container",
        f"{_PREFIX}.image-genver": 0,
        f"{_PREFIX}.oci-imported": True,
        f"{_PREFIX}.oci-imported-labels": dict(layer.labels),
    }
    if layer.content_checksum is not None:
        meta["ostree-content-checksum"] = layer.content_checksum
    if layer.image_json is not None:
        config = hashlib.sha256(layer.image_json).hexdigest()
        meta[f"{_PREFIX}.image-config-checksum"] = config
        text = "\n".join((layer.commit, config, *layer.inputs))
        meta[f"{_PREFIX}.image-input-checksum"] = hashlib.sha256(text.encode()).hexdigest()
    return meta | _source(layer.labels)


def _source(labels: Mapping[str, str]) -> Json:
    """What the layer's labels tell of where it came from, under the keys `cosa import` uses."""
    found: Json = {}
    origin = labels.get("org.opencontainers.image.source")
    commit = labels.get("org.opencontainers.image.revision")
    # The schema wants at least five characters; a label may hold anything.
    if origin and commit and len(commit) >= 5:
        found[f"{_PREFIX}.container-config-git"] = {"origin": origin, "commit": commit}
    if summary := labels.get("org.opencontainers.image.description"):
        found["summary"] = summary
    return found


def image_entry(written: Written, *, skip_compression: bool = False) -> Json:
    """An artifact's entry under `images`.

    With `skip_compression` its own format may be compressed: that is nothing that could be undone, so the
    entry does not say what would come out.
    """
    entry: Json = {"path": written.path.name, "sha256": written.sha256, "size": written.size}
    if skip_compression:
        return entry | {"skip-compression": True}
    if written.uncompressed_sha256 is not None:
        entry |= {
            "uncompressed-sha256": written.uncompressed_sha256,
            "uncompressed-size": written.uncompressed_size,
        }
    return entry


def rfc3339(moment: datetime) -> str:
    """A time stamp as all of the ecosystem's JSON has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def built_at(meta: Mapping[str, Any]) -> float | None:
    """When a build's layer was made, in seconds since 1970; None if its meta.json has no valid time."""
    try:
        return datetime.fromisoformat(str(meta.get(f"{_PREFIX}.build-timestamp"))).timestamp()
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class MetaFile:
    """A meta.json, which need not exist yet."""

    path: Path

    def read(self) -> Json:
        """Its content; empty if there is none, `build-meta-malformed` if it is no JSON object."""
        return read_json(self.path)

    def merge(self, changes: Mapping[str, Any], *, whole: tuple[str, ...] = ()) -> Json:
        """Merge into what is there now, objects deeply, all else replaced, and return the result.

        The object at the path `whole` is replaced, not merged.

        A change of what must not change within a build (the commit, the name) is `build-conflict`.
        Nothing is written where nothing changes.
        """
        with file_lock(self.path):
            before = self.read()
            require_same_build(before, changes, str(self.path.parent))
            after = _merged(_without(before, whole), changes)
            return self._write(before, after)

    def join(self, change: Callable[[Json], Json]) -> Json:
        """Have it say what `change` makes of it, a document of the same build, and return that.

        A stamp that `change` has set is kept.
        """
        with file_lock(self.path):
            before = self.read()
            after = change(before)
            require_same_build(before, after, str(self.path.parent))
            return self._write(before, after)

    def _write(self, before: Json, after: Json) -> Json:
        if after == before:
            return before
        if after.get(STAMP) == before.get(STAMP):
            after = {**after, STAMP: stamp_after(before)}
        write_json(self.path, after)
        return after


def read_json(path: Path) -> Json:
    """A JSON object of the builds tree; empty if the file is missing."""
    try:
        data = read_start(path, LIMIT)
    except FileNotFoundError:
        return {}
    return parse_meta(data, str(path))


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file of the builds tree, indented by four as coreos-assembler does, whole or not."""
    with whole_file(path) as handle:
        handle.write(json.dumps(data, indent=4).encode() + b"\n")


def _merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    merged = dict(before)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _without(document: Mapping[str, Any], path: tuple[str, ...]) -> Json:
    """The document without what is at the path."""
    if not path or path[0] not in document:
        return dict(document)
    first, *rest = path
    if not rest:
        return {key: value for key, value in document.items() if key != first}
    return {**document, first: _without(document[first], tuple(rest))}
