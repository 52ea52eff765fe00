"""Rules for the sizes of disks: each platform's cloud accepts only some sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.formats.packagers import PACKAGERS
from bootimg.platform import Platform, platforms


def packed_size_findings(key: str, artifact: Path) -> Iterator[Finding]:
    """Findings about the size of the disk in an archive; `key` is the artifact's key in meta.json.

    If the packaging does not record the disk's size, only `verify --deep` checks it.
    """
    for platform in platforms().values():
        if platform.image_key == key and platform.packaging in PACKAGERS:
            size = PACKAGERS[platform.packaging].disk_size(artifact)
            yield from _size(f"artifact {key}", [platform], size)


def size_findings(ignition_id: str | None, size: int) -> Iterator[Finding]:
    """Findings about a disk of `size` bytes for the platform with that Ignition id."""
    known = [each for each in platforms().values() if each.ignition_id == ignition_id]
    yield from _size("virtual size", known, size)


def _size(where: str, known: list[Platform], size: int | None) -> Iterator[Finding]:
    if size is None or not known or any(each.takes_size(size) for each in known):
        return
    message = f"{known[0].name} requires a multiple of {known[0].size_multiple_mib} MiB"
    yield finding(Rule.DISK_SIZE, where, f"{size} bytes", message)
