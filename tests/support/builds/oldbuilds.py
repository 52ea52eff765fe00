"""Builds with uploads and no files, as a tree has them whose metadata alone was fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def old_meta(
    build_id: str, arch: str = "x86_64", created: str = "2024-11-01T12:00:00Z", **more: object
) -> dict[str, Any]:
    """A meta.json with the uploads `more`, whose keys have _ for -."""
    return {
        "buildid": build_id, "name": "rhcos", "ostree-commit": "ab" * 32, "ostree-version": build_id,
        "ostree-timestamp": created, "coreos-assembler.basearch": arch,
        "coreos-assembler.build-timestamp": created, "images": {},
        **{key.replace("_", "-"): value for key, value in more.items()},
    }  # fmt: skip


def write_old_builds(
    builds: Path, found: Mapping[str, Sequence[Mapping[str, Any]]], *, tags: Sequence[Mapping[str, str]] = ()
) -> Path:
    """A tree of builds, newest first, each with the meta.json of its architectures."""
    for build_id, metas in found.items():
        for each in metas:
            folder = builds / build_id / each["coreos-assembler.basearch"]
            folder.mkdir(parents=True)
            (folder / "meta.json").write_text(json.dumps(each))
    entries = [
        {"id": build_id, "arches": [each["coreos-assembler.basearch"] for each in metas]}
        for build_id, metas in found.items()
    ]
    (builds / "builds.json").write_text(
        json.dumps({"schema-version": "1.0.0", "builds": entries, "tags": list(tags)})
    )
    return builds
