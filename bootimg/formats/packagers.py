"""The packagers of all packagings, in `PACKAGERS`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg.events import Step
from bootimg.formats import Packing, Written, gcptar, write
from bootimg.formats.ociarchive import write_ociarchive
from bootimg.formats.ovapackager import Ova
from bootimg.formats.packager import BasePackager, Content, Packager
from bootimg.manifest.strict import unsupported
from bootimg.platform import Packaging, Platform

_LEVEL = 9


class Bare(BasePackager):
    """Writes the disk itself, in its format."""

    is_disk = True

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write the disk."""
        content.no_package()
        disk = content.disk
        return write(disk.format, content.source, out, disk.format_options, step, packing)


class TarGz(BasePackager):
    """Packages `disk.raw` in a sparse tar."""

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write the tar; the writer has only one compression level, so another level is refused."""
        package = content.package(Packaging.TAR_GZ)
        if package.level != _LEVEL:
            raise unsupported("org.osbuild.gzip", f"level: {package.level}")
        return write("gcp", content.source, out, {}, step, packing)

    def disk_size(self, artifact: Path) -> int | None:
        """The size from the tar's header."""
        return gcptar.disk_size(artifact)


class OciArchive(BasePackager):
    """Packages a container image with the disk in /disk."""

    spools = True

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write the archive."""
        package = content.package(Packaging.OCIARCHIVE)
        if package.architecture != content.arch.oci:
            raise unsupported("org.osbuild.oci-archive", f"architecture: {package.architecture}")
        return write_ociarchive(
            content.source,
            out,
            disk_name=package.member.rpartition("/")[2],
            arch=content.arch,
            labels=package.labels or {},
            step=step,
            packing=packing,
        )


PACKAGERS: Mapping[Packaging, Packager] = {
    Packaging.NONE: Bare(),
    Packaging.TAR_GZ: TarGz(),
    Packaging.OVA: Ova(),
    Packaging.OCIARCHIVE: OciArchive(),
}
"""BlueField's boot stream has no packager, because it is made of live media, not of a disk."""


def packager_of(platform: Platform) -> Packager:
    """The packager of a platform whose images are made of a disk; refuses an unsuitable platform."""
    found = PACKAGERS[platform.packaging]
    found.check(platform)
    return found


def spools(platform: Platform) -> bool:
    """Whether writing the platform's artifact needs a second file on the same file system."""
    return platform.packaging in PACKAGERS and PACKAGERS[platform.packaging].spools
