"""The sizes of disks: what each platform's cloud takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.formats.packagers import PACKAGERS
from bootimg.platform import Platform, platforms


def packed_size_findings(key: str, artifact: Path) -> Iterator[Finding]:
    """What is wrong with the size of the disk in an archive, `key` being the artifact's in meta.json.

    A disk whose size the packaging does not tell is opened by `verify --deep`.
    """
    for platform in platforms().values():
        if platform.image_key == key and platform.packaging in PACKAGERS:
            size = PACKAGERS[platform.packaging].disk_size(artifact)
            yield from _size(f"artifact {key}", [platform], size)


def size_findings(ignition_id: str | None, size: int) -> Iterator[Finding]:
    """The same of a disk of `size` bytes that is for the platform which Ignition knows by that name."""
    known = [each for each in platforms().values() if each.ignition_id == ignition_id]
    yield from _size("virtual size", known, size)


def _size(where: str, known: list[Platform], size: int | None) -> Iterator[Finding]:
    if size is None or not known or any(each.takes_size(size) for each in known):
        return
    message = f"{known[0].name} takes disks of a multiple of {known[0].size_multiple_mib} MiB"
    yield finding(Rule.DISK_SIZE, where, f"{size} bytes", message)
