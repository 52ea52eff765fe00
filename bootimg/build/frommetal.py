"""A build's metal image in the place of a base disk that the cache has no more."""

from __future__ import annotations

from bootimg.build.bases import BaseDisk
from bootimg.build.work import Work
from bootimg.disk.extents import is_zero
from bootimg.errors import BootimgError
from bootimg.formats import Packing
from bootimg.formats.compression import open_output
from bootimg.formats.decompress import PlainReader
from bootimg.platform import DiskSize, platforms


def base_from_metal(work: Work, sector_size: int) -> BaseDisk | None:
    """The base disk that is in the metal image of the build that the request is about, if it has one.

    Its digest is checked: `artifact-damaged`.  The disk is in the build's scratch folder.
    """
    source = work.request.source
    of_metal = [p for p in platforms().values() if (p.size, p.sector_size) == (DiskSize.METAL, sector_size)]
    found = [each for each in of_metal if source is not None and each.image_key in source.images]
    if source is None or not found or not source.artifact(found[0].image_key).is_file():
        return None
    platform = found[0]
    path, entry = source.artifact(platform.image_key), source.images[platform.image_key]
    disk = work.build.scratch / f"{platform.name}.raw"
    with (
        work.events.step("metal", f"taking {path.name} for the base disk", total=path.stat().st_size) as step,
        PlainReader(path) as reader,
        open_output(disk, Packing()) as sink,
    ):
        for data in reader:
            if is_zero(data):
                sink.skip(len(data))
            else:
                sink.write(data)
        written = reader.written()
        step.advance(written.size)
        if written.sha256 != entry["sha256"]:
            raise BootimgError(
                "artifact-damaged",
                f"{path} is not the file that meta.json describes",
                context=[f"sha256 is {written.sha256}", f"meta.json says {entry['sha256']}"],
                hint="build from the layer's reference instead: its base disk is then made anew",
            )
        sink.finish(disk)
    commit = str(source.meta.get("ostree-commit", ""))
    return BaseDisk(disk, written.sha256, commit, platform)
