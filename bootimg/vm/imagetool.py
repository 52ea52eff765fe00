"""qemu-img and qemu-io.  Only this module runs them on images; it gives them nodes, not file names.

The images are untrusted: what reads them has limits on memory and CPU time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bootimg import process
from bootimg.atomic import temporary_folder
from bootimg.sizes import GIB, MIB, TIB, format_size
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, read_limited
from bootimg.vm.diskimage import DiskImage, Json, layered, open_image, source_name
from bootimg.vm.image import damaged
from bootimg.vm.qemu import IMG_PACKAGES, require_qemu_img

_TIMEOUT = 600.0
_READING = ProcessLimits(memory=None, data=GIB, seconds=30, written=16 * MIB)
_CONVERTING = replace(_READING, seconds=300, written=None, deadline=_TIMEOUT)
"""Its output is as large as the disk's data."""
_LARGEST = 64 * TIB
"""Bytes of the largest disk of a VHDX, and of the largest one of any cloud."""


def virtual_size(image: DiskImage) -> int:
    """The size in bytes of the disk in an image.

    `image-unreadable` with qemu-img's output, or for a disk that is larger than any.
    """
    name = source_name(image.node())
    done = _read(image, ["info", "--output=json", name], _READING)
    if done.returncode > 0:
        errors = done.stderr.decode(errors="replace").strip().splitlines()[-4:]
        raise damaged(
            image.path,
            f"cannot be read as {image.format}",
            f"get the image again; `qemu-img check -f {image.format} FILE` reports what is wrong",
            [line.replace(name, str(image.path)) for line in errors],
        )
    if done.returncode:
        raise process.failure(done)
    size = int(json.loads(done.stdout)["virtual-size"])
    if size > _LARGEST:
        why = f"claims to be a disk of {format_size(size)}, and the largest has {format_size(_LARGEST)}"
        raise damaged(image.path, why, "get the image again")
    return size


def copy_range(image: DiskImage, offset: int, length: int, out: Path, *, inside: bool) -> None:
    """Copy a part of the disk to the raw file `out`: `inside` it at the same offset, or as the whole file."""
    source = source_name(_window(image.node(), offset, length))
    if inside:
        target = _options(_window(DiskImage(out, "raw").node(), offset, length))
        words = ["-n", "--target-image-opts", source, target]
    else:
        words = ["-O", "raw", source, str(out.absolute())]
    done = _read(image, ["convert", *words], _CONVERTING)
    if done.returncode:
        raise process.failure(done)


def _read(image: DiskImage, words: Sequence[process.Argument], limits: ProcessLimits) -> process.Completed:
    """Run qemu-img on an image; `image-unreadable` if it meets a limit."""
    with temporary_folder("bootimg-image-") as folder:
        try:
            return read_limited([require_qemu_img().path, *words], folder, limits)
        except OverLimitError as error:
            why = f"cannot be read within qemu-img's limits: {error}"
            raise damaged(image.path, why, "get the image again") from None


def make_overlay(base: DiskImage, overlay: Path) -> DiskImage:
    """A new qcow2 on top of an image.  Its file does not name the image; only the node does."""
    size = str(virtual_size(base))
    process.run([require_qemu_img().path, "create", "-q", "-f", "qcow2", overlay, size], timeout=_TIMEOUT)
    return layered(overlay, base)


def make_disk(path: Path, size: int) -> DiskImage:
    """A new, empty qcow2 for a disk of `size` bytes."""
    process.run([require_qemu_img().path, "create", "-q", "-f", "qcow2", path, str(size)], timeout=_TIMEOUT)
    return open_image(path, "qcow2")


def write_blocks(image: DiskImage, blocks: Iterable[tuple[int, bytes]], scratch: Path) -> None:
    """Write bytes into an image at their offsets; the folder `scratch` gets a file for each."""
    qemu_io = process.require("qemu-io", packages=f"{IMG_PACKAGES.apt} or {IMG_PACKAGES.dnf}")
    commands: list[str] = []
    for number, (offset, data) in enumerate(blocks):
        block = scratch / f"block-{number}"
        block.write_bytes(data)
        # Only a name without a folder, because qemu-io splits its commands at blanks.
        commands += ["-c", f"write -q -s {block.name} {offset} {len(data)}"]
    if commands:
        process.run([qemu_io, *commands, source_name(image.node())], cwd=scratch, timeout=_TIMEOUT)


def _window(node: Json, offset: int, length: int) -> Json:
    return {"driver": "raw", "offset": offset, "size": length, "file": node}


def _options(node: Json, prefix: str = "") -> str:
    """A node in the form of an option list, which has no null."""
    words = []
    for name, value in node.items():
        if isinstance(value, dict):
            words.append(_options(value, f"{prefix}{name}."))
        else:
            words.append(f"{prefix}{name}={str(value).replace(',', ',,')}")
    return ",".join(words)
