"""builds.json, the list of builds newest first, and the `latest` link."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.builds.layout import BUILDS, LATEST
from bootimg.builds.locks import file_lock
from bootimg.builds.meta import read_json, rfc3339, write_json
from bootimg.errors import BootimgError

_VERSION = "1.0.0"


def insert_build(builds: Path, build_id: str, arch: Arch) -> None:
    """List a build, if it is not listed yet, as the newest; then point `latest` at the newest one."""
    path = builds / BUILDS
    with file_lock(path):
        index = read_index(builds)
        entries = index["builds"]
        entry = next((each for each in entries if each["id"] == build_id), None)
        if entry is None:
            entry = {"id": build_id, "arches": []}
            entries.insert(0, entry)
        if arch.value not in entry["arches"]:
            entry["arches"].append(arch.value)
            index["timestamp"] = rfc3339(datetime.now(UTC))
            write_json(path, index)
        _point(builds / LATEST, entries[0]["id"])


def read_index(builds: Path) -> dict[str, Any]:
    """builds.json; an empty one if there is none, `builds-version-unknown` if it is of another kind."""
    index = read_json(builds / BUILDS) or {"schema-version": _VERSION, "builds": []}
    version = str(index.get("schema-version", "0.0.1"))
    if version.split(".")[0] != _VERSION.split(".")[0] or not isinstance(index.get("builds"), list):
        raise BootimgError(
            "builds-version-unknown",
            f"{builds / BUILDS} has schema version {version}, bootimg knows {_VERSION}",
            hint="choose another output directory with -o",
        )
    return index


def newest_id(builds: Path) -> str | None:
    """The id of the newest build; None where there is none, `build-meta-malformed` where it has no id."""
    entries = read_index(builds)["builds"]
    if not entries:
        return None
    found = entries[0].get("id") if isinstance(entries[0], dict) else None
    if not isinstance(found, str):
        raise BootimgError("build-meta-malformed", f"the first build in {builds / BUILDS} has no id")
    return found


def _point(link: Path, target: str) -> None:
    if link.is_symlink() and os.readlink(link) == target:  # noqa: PTH115
        return
    fresh = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    fresh.symlink_to(target, target_is_directory=True)
    fresh.replace(link)
