"""What osbuild has exported: looked at before it is believed."""

from __future__ import annotations

import stat
from pathlib import Path

from bootimg.errors import BootimgError
from bootimg.manifest.model import Json, Manifest
from bootimg.vm.diskimage import open_image
from bootimg.vm.imagetool import virtual_size

# What qemu-img tells apart by itself; the name of a format is the same in the manifest.
_DISKS = ("raw", "qcow2", "vmdk", "vhdx")


def exported_file(output: Path, pipeline: str, name: str) -> Path:
    """The one file of an exported pipeline: a regular file of that name with something in it."""
    folder = output / pipeline
    try:
        names = sorted(path.name for path in folder.iterdir())
        status = (folder / name).lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise _invalid(pipeline, f"{name} is not there", folder) from None
    if names != [name]:
        raise _invalid(pipeline, f"beside {name} there is {', '.join(set(names) - {name})}", folder)
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        raise _invalid(pipeline, f"{name} is empty, or no file", folder)
    return folder / name


def check_disk(path: Path, pipeline: str, disk_format: str, size: int | None) -> None:
    """Refuse a disk image that has another format or virtual size (bytes) than the manifest asks for."""
    if disk_format not in _DISKS:
        return
    try:
        found = virtual_size(open_image(path, disk_format))
    except BootimgError as error:
        if not error.id.startswith("image-"):
            raise
        raise _invalid(pipeline, "; ".join([str(error), *error.context])[-400:], path) from None
    if size is not None and found != size:
        raise _invalid(pipeline, f"a disk of {found} bytes where {size} were asked for", path)


def disk_size(document: Json, pipeline: str) -> int | None:
    """The size that the manifest gives the disk of a platform's pipeline; None where it gives none."""
    for each in Manifest.from_json(document).pipelines:
        if each.name == f"raw-{pipeline}-image":
            sizes = [stage.options["size"] for stage in each.stages if stage.type == "org.osbuild.truncate"]
            return int(sizes[-1]) if sizes else None
    return None


def _invalid(pipeline: str, what: str, path: Path) -> BootimgError:
    return BootimgError(
        "osbuild-export-invalid",
        f"osbuild reported success, but what it exported as {pipeline} is not what the manifest asks for",
        context=[what, f"in {path}"],
        hint="build once more with another --cache: osbuild's store in it may be damaged",
    )
