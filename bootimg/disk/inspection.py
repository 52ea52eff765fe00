"""What a disk image has: partitions, filesystems, /boot, deployments.  Nothing is mounted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bootimg import process
from bootimg.disk.aleph import ALEPH, COREOS_ALEPH
from bootimg.disk.blsentry import bls_entry, entry_fault
from bootimg.disk.bootpatch import (
    CONSOLE_MARKERS,
    IGNITION_PLATFORM,
    BootFiles,
    partition_copy,
    read_boot_files,
)
from bootimg.disk.bootprogram import SECTOR, has_boot_code
from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.extents import FileSource, Source
from bootimg.disk.gpt import Partition
from bootimg.disk.unmounted import deployments
from bootimg.disk.view import DiskView
from bootimg.disk.xfsread import XfsImage
from bootimg.disk.zipl.describe import SECURE, describe_secure, describe_zipl
from bootimg.disk.zipl.read import has_zipl
from bootimg.errors import BootimgError
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.jsonfile import find_object
from bootimg.untrusted.keyfile import parse_key_file
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, read_limited
from bootimg.untrusted.tree import Malformed

Json = dict[str, Any]
ROOT = "root"
# The second is the older name, today a link to the first.
_ALEPHS = (f"/{ALEPH}", f"/{COREOS_ALEPH}")
_OSTREE = "ostree="
# blkid's exit status if it finds nothing, or more than one filesystem.
_NOTHING, _AMBIGUOUS = 2, 8
_PROBING = ProcessLimits(seconds=10, written=MIB)


def inspect_disk(disk: Path, disk_format: str, folder: Path, budget: Budget | None = None) -> Json:
    """The disk as a JSON document; offsets and sizes are in bytes.

    A partition's `boot-code` says whether the firmware finds its program there; it is None where firmware
    looks for none.  `boot` is None if no partition has that name, `zipl` if the disk has no record of it.
    `root` is None if no partition named root has XFS; if that XFS cannot be read, `problem` is the error.

    `disk_format` is QEMU's name of the format, `folder` an empty scratch folder.  Errors: those of
    `open_image`, `gpt-damaged`, `boot-partition-unreadable`, `boot-filesystem-damaged`, `qemu-img-missing`,
    `program-missing`, `image-over-budget`.
    """
    budget = budget or Budget()
    view = DiskView(disk, disk_format, folder)
    for partition in view.gpt.partitions:
        offset, length = view.gpt.span(partition.number)
        view.fetch(offset, min(MIB, length))
    blkid = process.require("blkid", packages="util-linux")
    document: Json = {
        "kind": "disk",
        "path": str(disk),
        "format": disk_format,
        "virtual-size": view.size,
        "sector-size": view.gpt.sector_size,
        "disk-guid": str(view.gpt.disk_guid),
        "partitions": [_partition(view, partition, blkid, budget) for partition in view.gpt.partitions],
        "boot": None,
        "zipl": None,
        "root": None,
    }
    span = view.boot()
    if span is not None:
        with FileSource(view.path) as source:
            document["boot"] = _boot(read_boot_files(source, *span, scratch=folder, budget=budget))
            if has_zipl(source):
                with partition_copy(source, *span, folder, budget) as image:
                    document["zipl"] = _zipl(source, view.gpt.sector_size, span, document["boot"], image)
    if (secure := view.partition(SECURE)) is not None:
        with FileSource(view.path) as source:
            if has_zipl(source):
                with partition_copy(source, *secure, folder, budget) as image:
                    document["zipl"] = describe_secure(source, view.gpt.sector_size, secure, image)
    for partition, described in zip(view.gpt.partitions, document["partitions"], strict=True):
        if partition.name == ROOT and (described["filesystem"] or {}).get("type") == "xfs":
            document["root"] = _root(view, *view.gpt.span(partition.number), root_image(folder, budget))
    return document


def _partition(view: DiskView, partition: Partition, blkid: Path, budget: Budget) -> Json:
    offset, size = view.gpt.span(partition.number)
    return {
        "number": partition.number,
        "name": partition.name,
        "type": str(partition.type_guid),
        "guid": str(partition.guid),
        "offset": offset,
        "size": size,
        "filesystem": _filesystem(view.path, offset, size, blkid, budget),
        "boot-code": _boot_code(view, partition, offset),
    }


def _boot_code(view: DiskView, partition: Partition, offset: int) -> bool | None:
    with FileSource(view.path) as source:
        start = source.read(offset, SECTOR) if offset + SECTOR <= source.size else b""
    return has_boot_code(partition.type_guid, start)


def _filesystem(path: Path, offset: int, size: int, blkid: Path, budget: Budget) -> Json | None:
    """What blkid finds in the partition's first MiB, where every supported filesystem has its superblock."""
    words = ["--probe", "--usages", "filesystem", "--offset", str(offset), "--size", str(size)]
    # Only the name, because blkid prints the name unchanged; it quotes everything else.
    words += ["--output", "export", path.name]
    try:
        done = read_limited([blkid, *words], path.parent, _PROBING, cwd=path.parent, budget=budget)
    except OverLimitError:
        return None
    if done.returncode in (_NOTHING, _AMBIGUOUS):
        return None
    if done.returncode:
        raise process.failure(done)
    found: dict[str, str] = {}
    for line in done.stdout.decode(errors="replace").splitlines():
        key, _, value = line.partition("=")
        found[key] = "".join(shlex.split(value))
    if "TYPE" not in found:
        return None
    return {"type": found["TYPE"], "label": found.get("LABEL"), "uuid": found.get("UUID")}


def _boot(files: BootFiles) -> Json:
    return {
        "entries": [_entry(name, text) for name, text in files.entries.items()],
        "console": None if files.console_cfg is None else console_commands(files.console_cfg),
        "console-markers": files.console_cfg is not None and has_markers(files.console_cfg),
        "ignition-platform": _argument(files.options, IGNITION_PLATFORM),
        "ostree": _argument(files.options, _OSTREE),
        "first-boot": files.firstboot is not None,
    }


def _zipl(source: Source, sector_size: int, span: tuple[int, int], boot: Json, image: Ext4Image) -> Json:
    entry: Json = next(iter(boot["entries"]), {})
    return describe_zipl(source, sector_size, span, image, entry)


def _entry(name: str, text: str) -> Json:
    # An entry may have keys of any name, so our own come last.
    return {**bls_entry(text), "file": name, "fault": entry_fault(text)}


def console_commands(text: str) -> list[str]:
    """The commands between the markers of a console.cfg."""
    lines = text.split("\n")
    if not has_markers(text):
        return []
    start, end = (lines.index(marker) for marker in CONSOLE_MARKERS)
    return [line for line in lines[start + 1 : end] if line]


def has_markers(text: str) -> bool:
    """Whether a console.cfg has the two lines between which coreos-installer writes."""
    lines = text.split("\n")
    return all(marker in lines for marker in CONSOLE_MARKERS)


def _argument(options: Sequence[str], prefix: str) -> str | None:
    return next((word.removeprefix(prefix) for word in options if word.startswith(prefix)), None)


def _root(view: DiskView, offset: int, size: int, image: XfsImage) -> Json:
    view.extract(offset, size, image.path)
    try:
        contents = (image.content(path) for path in _ALEPHS)
        aleph = next((content for content in contents if content is not None), None)
        found = {"deployments": _deployments(image), "aleph": aleph and find_object(aleph)}
    except BootimgError as error:
        if error.id == "image-over-budget":
            raise
        return {"deployments": [], "aleph": None, "problem": error.as_dict()}
    return {**found, "problem": None}


def root_image(folder: Path, budget: Budget) -> XfsImage:
    """The root filesystem that `inspect_disk` left in its scratch folder, if `root` was not None."""
    return XfsImage(folder / "root", budget)


def _deployments(image: XfsImage) -> list[Json]:
    found = []
    for stateroot, path in deployments(image):
        origin = image.content(f"{path}.origin")
        commit = path.rpartition("/")[2].partition(".")[0]
        found.append({"stateroot": stateroot, "commit": commit, "origin": origin and _origin(origin)})
    return found


def _origin(content: bytes) -> Json | None:
    """The key file's group `origin`; None if the content is no such file."""
    try:
        group = parse_key_file(content).get("origin")
    except Malformed:
        return None
    return None if group is None else dict(group)
