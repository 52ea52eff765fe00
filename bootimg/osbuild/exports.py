"""Checks of the files that osbuild has exported."""

from __future__ import annotations

import stat
from pathlib import Path

from bootimg.errors import BootimgError
from bootimg.manifest.model import Json, Manifest
from bootimg.vm.diskimage import open_image
from bootimg.vm.imagetool import virtual_size

# Formats that qemu-img detects; the manifest has the same names.
_DISKS = ("raw", "qcow2", "vmdk", "vhdx")


def exported_file(output: Path, pipeline: str, name: str) -> Path:
    """The only file of an exported pipeline: a regular file of that name that is not empty."""
    folder = output / pipeline
    try:
        names = sorted(path.name for path in folder.iterdir())
        status = (folder / name).lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise _invalid(pipeline, f"{name} is missing", folder) from None
    if names != [name]:
        raise _invalid(pipeline, f"beside {name} it has {', '.join(set(names) - {name})}", folder)
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        raise _invalid(pipeline, f"{name} is empty, or not a file", folder)
    return folder / name


def check_disk(path: Path, pipeline: str, disk_format: str, size: int | None) -> None:
    """Refuse a disk image whose format or virtual size (bytes) differs from the manifest's."""
    if disk_format not in _DISKS:
        return
    try:
        found = virtual_size(open_image(path, disk_format))
    except BootimgError as error:
        if not error.id.startswith("image-"):
            raise
        raise _invalid(pipeline, "; ".join([str(error), *error.context])[-400:], path) from None
    if size is not None and found != size:
        raise _invalid(pipeline, f"the disk has {found} bytes instead of {size}", path)


def disk_size(document: Json, pipeline: str) -> int | None:
    """The size of a platform's disk in the manifest, in bytes; None if the manifest sets none."""
    for each in Manifest.from_json(document).pipelines:
        if each.name == f"raw-{pipeline}-image":
            sizes = [stage.options["size"] for stage in each.stages if stage.type == "org.osbuild.truncate"]
            return int(sizes[-1]) if sizes else None
    return None


def _invalid(pipeline: str, what: str, path: Path) -> BootimgError:
    return BootimgError(
        "osbuild-export-invalid",
        f"osbuild reported success, but its export {pipeline} does not match the manifest",
        context=[what, f"in {path}"],
        hint="build again with another --cache: osbuild's store in this one may be damaged",
    )
