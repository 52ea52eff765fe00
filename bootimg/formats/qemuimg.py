"""Formats that bootimg does not write itself, by qemu-img, without a raw copy of the disk.

A disk that exists nowhere as a file reaches qemu-img as a small qcow2 overlay over the base disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from bootimg.atomic import enough_space, scratch_folder, sync
from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats.output import Written, data_length
from bootimg.formats.qcow2.plain import write_overlay
from bootimg.vm import imagetool
from bootimg.vm.diskimage import layered, open_image

_FORMATS = ("qcow2", "vdi", "vhdx", "vmdk", "vpc")


def convert(
    source: Source,
    ranges: Iterable[tuple[int, int]],
    out: Path,
    disk_format: str,
    options: Mapping[str, str | bool],
    *,
    base: Path,
) -> Written:
    """Write `source` with qemu-img; it is the raw file `base` except in `ranges` (offset, length).

    It may be longer than `base`, with zeros there.  `options` are osbuild's; `compression` becomes -c, the
    others go to qemu-img's -o.  The size is rounded up to sectors of 512 bytes.  The file is read once
    more for its digest, and does not have the same bytes every time.
    """
    _check(disk_format)
    words = _words(options)
    with scratch_folder(out.parent, ".qemu-img-") as folder, enough_space(out.parent, data_length(source)):
        overlay, made = folder / "overlay.qcow2", folder / "image"
        write_overlay(source, ranges, overlay, backing=base, backing_format="raw")
        imagetool.convert(layered(overlay, open_image(base, "raw")), made, disk_format, words)
        with made.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        sync(made)
        size = made.stat().st_size
        made.replace(out)
        sync(out.parent)
    return Written(out, size, digest)


def _check(disk_format: str) -> None:
    if disk_format not in _FORMATS:
        raise BootimgError(
            "disk-format-unsupported",
            f"{disk_format} is not a disk format that qemu-img is asked for",
            hint=f"it is asked for {', '.join(_FORMATS)}",
            exit_code=ExitCode.USAGE,
        )


def _words(options: Mapping[str, str | bool]) -> list[str]:
    words = ["-c"] if options.get("compression") else []
    rest = {name: value for name, value in options.items() if name != "compression"}
    for name, value in rest.items():
        shown = value if isinstance(value, str) else ("on" if value else "off")
        words += ["-o", f"{name}={shown}"]
    return words
