"""How a platform's disk becomes the file that its cloud takes: converted, and wrapped in something."""

from __future__ import annotations

from pathlib import Path

from bootimg.build.prepare import Layer
from bootimg.disk.extents import Source
from bootimg.events import Step
from bootimg.formats import Packing, Written, write
from bootimg.manifest.recipe import Package, PlatformDisk
from bootimg.manifest.taken import unsupported
from bootimg.platform import Packaging, Platform

_LEVEL = 9


def write_artifact(
    platform: Platform,
    disk: PlatformDisk,
    source: Source,
    out: Path,
    layer: Layer,
    packing: Packing,
    step: Step,
) -> Written:
    """Write the artifact `out` of a platform's disk, as its recipe and its packaging say."""
    match platform.packaging:
        case Packaging.TAR_GZ:
            _require_level(disk.package)
            return write("gcp", source, out, {}, step, packing)
        case _:
            return write(disk.format, source, out, disk.format_options, step, packing)


def _require_level(package: Package | None) -> None:
    """The writer has one way to deflate; a recipe that wants another is not followed in silence."""
    level = package.level if package else None
    if level != _LEVEL:
        raise unsupported("org.osbuild.gzip", f"level: {level}")
