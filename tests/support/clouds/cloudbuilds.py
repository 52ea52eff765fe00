"""Builds with a small artifact, to be uploaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.builds.layout import artifact_name
from bootimg.builds.meta import LayerIdentity, image_entry, layer_meta
from bootimg.builds.record import Record, change_record
from bootimg.disk.extents import FileSource
from bootimg.formats import Compressor, Packing, write
from bootimg.platform import Packaging, platforms
from bootimg.sizes import GIB, KIB, MIB
from tests.support.disks import make_disk
from tests.unit.builds.test_meta import identity

BUILD = "9.6.20261101-0"
SIZE = 70 * MIB
DATA = ((0, MIB + 9), (33 * MIB + 512, 70 * KIB), (40 * MIB, 5 * MIB))
IMAGE_JSON = {"aws-imdsv2-only": True, "aws-x86-boot-mode": "legacy-bios"}


def make_aws_build(builds: Path, **more: Any) -> tuple[Path, Path]:  # noqa: ANN401
    """The folder of a build with an image for aws, and the raw disk that is in it."""
    return make_cloud_build(builds, "aws", **more)


def make_cloud_build(
    builds: Path,
    name: str,
    *,
    arch: Arch = Arch.X86_64,
    compressor: Compressor = Compressor.NONE,
    image_json: Mapping[str, Any] | None = IMAGE_JSON,
    size: int = SIZE,
) -> tuple[Path, Path]:
    """The folder of a build with an image for a platform, and the raw disk that is in it."""
    raw = make_disk(builds.parent / f"{builds.name}-disk.raw", size, DATA)
    return _make(builds, raw, arch, name, compressor, image_json), raw


def make_gcp_build(
    builds: Path, *, arch: Arch = Arch.X86_64, size: int = GIB, data: Sequence[tuple[int, int]] = DATA
) -> tuple[Path, Path]:
    """The folder of a build with an image for gcp, and the raw disk that is in it."""
    raw = make_disk(builds.parent / f"{builds.name}-disk.raw", size, data)
    return _make(builds, raw, arch, "gcp", Compressor.NONE, None), raw


def _make(
    builds: Path,
    raw: Path,
    arch: Arch,
    name: str,
    compressor: Compressor,
    image_json: Mapping[str, Any] | None,
) -> Path:
    platform = platforms()[name]
    disk_format = "gcp" if platform.packaging is Packaging.TAR_GZ else platform.disk_format
    known: LayerIdentity = identity(arch=arch, build_id=BUILD, version=BUILD)
    with open_build(builds, BUILD, arch) as build, FileSource(raw) as source:
        file = artifact_name("rhcos", BUILD, name, arch, platform.suffix) + compressor.suffix
        packed, out = Packing(compressor, 2), build.scratch / file
        made = write(disk_format, source, out, platform.format_options, None, packed)
        build.publish(made.path, file)
        build.meta.merge(layer_meta(known))
        build.meta.merge({"images": {name: image_entry(made, skip_compression=platform.skip_compression)}})
        if image_json is not None:
            change_record(build.path, Record(image_json=image_json))
        build.finish()
        return build.path
