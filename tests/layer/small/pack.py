"""The tree of a small layer becomes an OCI archive with one layer."""

from __future__ import annotations

import json
from pathlib import Path

from tests.layer import contract
from tests.layer.oci import OCI, Compression, descriptor, json_blob, write_layer, write_manifest
from tests.layer.packing import CREATED
from tests.layer.recipe import Request
from tests.layer.small.convert import Converted
from tests.layer.small.recipe import SmallRecipe
from tests.layer.tree import Change, Tree, file_node, put

_FOLDER = "usr/share/coreos-assembler"


def pack(content: Converted, recipe: SmallRecipe, blobs: Path, output: Path) -> None:
    """Write the archive; `blobs` is a folder to make, for its parts."""
    blobs.mkdir()
    layer = write_layer(Change(_described(content.tree, recipe)), Compression.ZSTD, blobs, "small layer")
    config = {
        "architecture": recipe.arch.row.names.oci,
        "os": "linux",
        "created": CREATED,
        "config": {"Labels": contract.labels(Request(), content.kernel, "0" * 64)},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        "history": [{"created": CREATED, "created_by": layer.comment}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": json_blob(config, f"{OCI}.config.v1+json", blobs),
        "layers": [descriptor(layer)],
    }
    write_manifest(manifest, blobs, output)


def _described(tree: Tree, recipe: SmallRecipe) -> Tree:
    documents: dict[str, object] = {"image.json": contract.image_json() | {"size": 3}}
    if recipe.has_consoles:
        documents["platforms.json"] = contract.platforms_json(recipe.arch)
    described = dict(tree)
    for name, document in documents.items():
        path = f"{_FOLDER}/{name}"
        put(described, path, file_node(path, json.dumps(document, indent=2).encode() + b"\n"))
    return described
