"""Builds with one small artifact that is uploaded as a file."""

from __future__ import annotations

import gzip
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.builds.layout import artifact_name
from bootimg.builds.meta import image_entry, layer_meta
from bootimg.builds.record import Record, change_record
from bootimg.disk.extents import FileSource
from bootimg.formats import Compressor, Packing, write
from bootimg.platform import platforms
from bootimg.sizes import KIB, MIB
from tests.support.clouds.cloudbuilds import BUILD
from tests.support.disks import make_disk
from tests.unit.builds.test_meta import identity, written

SIZE = 8 * MIB
DATA = ((0, MIB + 9), (3 * MIB + 512, 70 * KIB), (6 * MIB, MIB))
ARCHES = {"powervs": Arch.PPC64LE}


def make_file_build(builds: Path, platform: str, *, compressor: Compressor = Compressor.NONE) -> Path:
    """The folder of a build with an image for the platform; the disk in it has 8 MiB."""
    arch, found = ARCHES.get(platform, Arch.X86_64), platforms()[platform]
    raw = make_disk(builds.parent / f"{builds.name}-disk.raw", SIZE, DATA)
    known = identity(arch=arch, build_id=BUILD, version=BUILD)
    with open_build(builds, BUILD, arch) as build, FileSource(raw) as source:
        name = artifact_name("rhcos", BUILD, platform, arch, found.suffix) + compressor.suffix
        if found.skip_compression:
            # The appliance around a disk is of no concern to an upload.
            made = written(build.scratch / name, gzip.compress(raw.read_bytes(), 1, mtime=0))
        else:
            packing = Packing(compressor, 2)
            made = write(found.disk_format, source, build.scratch / name, found.format_options, None, packing)
        build.publish(made.path, name)
        build.meta.merge(layer_meta(known))
        build.meta.merge({"images": {platform: image_entry(made, skip_compression=found.skip_compression)}})
        change_record(build.path, Record(image_json={}))
        build.finish()
        return build.path
