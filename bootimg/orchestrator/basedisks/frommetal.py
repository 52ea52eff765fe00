"""A build's metal image instead of a base disk that the cache no longer has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.builds.find import require_digest
from bootimg.formats import Written
from bootimg.formats.compression.unpack import unpack
from bootimg.orchestrator.basedisk import BaseDisk
from bootimg.orchestrator.work import Work
from bootimg.platform import DiskSize, Platform, platforms


def base_from_metal(work: Work, sector_size: int) -> BaseDisk | None:
    """The base disk from the metal image of the request's build, or None.

    The image's digest is checked: `artifact-damaged`.  The disk is in the build's scratch folder.
    """
    source = work.request.source
    found = [each for each in of_metal(sector_size) if source is not None and each.image_key in source.images]
    if source is None or not found or not source.artifact(found[0].image_key).is_file():
        return None
    platform = found[0]
    path, entry = source.artifact(platform.image_key), source.images[platform.image_key]
    disk = work.build.scratch / f"{platform.name}.raw"
    title = f"using {path.name} as the base disk"
    with work.events.step("metal", title, total=path.stat().st_size) as step:
        need, limits = entry.get("uncompressed-size"), work.request.limits
        check = partial(_require, path, entry)
        unpack(path, disk, check=check, step=step, need=need, limits=limits)
    commit = str(source.meta.get("ostree-commit", ""))
    return BaseDisk(disk, str(entry["sha256"]), commit, platform)


def of_metal(sector_size: int) -> list[Platform]:
    """The platforms whose image has the size and the sectors of a base disk."""
    return [p for p in platforms().values() if (p.size, p.sector_size) == (DiskSize.METAL, sector_size)]


def _require(path: Path, entry: Mapping[str, Any], found: Written) -> None:
    require_digest(path, "sha256", entry["sha256"], found.sha256)
