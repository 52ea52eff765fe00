"""Writing the OCI archive of an image that is derived from another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.layer.oci import OCI, Blob, blob, descriptor, json_blob, read_manifest, write_manifest


@dataclass(frozen=True, slots=True)
class Derived:
    """What a Containerfile adds to an image; `without_layer` are its steps that give no layer."""

    layers: Sequence[Blob]
    labels: Mapping[str, str]
    created: str
    without_layer: Sequence[str] = ()


def derive_archive(base: Path, derived: Derived, blobs: Path, output: Path) -> None:
    """Write what a Containerfile FROM the OCI directory `base` gives; `blobs` has the new layers."""
    described, manifest = read_manifest(base)
    config = json.loads(blob(base, manifest["config"]).read_bytes())
    config["created"] = derived.created
    config["config"]["Labels"] = {**config["config"].get("Labels", {}), **derived.labels}
    config["rootfs"]["diff_ids"] += [layer.diff_id for layer in derived.layers]
    config.setdefault("history", []).extend(
        {"created": derived.created, "created_by": layer.comment} for layer in derived.layers
    )
    config["history"] += [
        {"created": derived.created, "created_by": comment, "empty_layer": True}
        for comment in derived.without_layer
    ]
    layers = [{name: each[name] for name in ("mediaType", "digest", "size")} for each in manifest["layers"]]
    for digest in {each["digest"] for each in layers}:
        blob(base, {"digest": digest}).rename(blobs / digest.removeprefix("sha256:"))
    new = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": json_blob(config, f"{OCI}.config.v1+json", blobs),
        "layers": [*layers, *(descriptor(layer) for layer in derived.layers)],
        "annotations": {"org.opencontainers.image.base.digest": described["digest"]},
    }
    write_manifest(new, blobs, output)
