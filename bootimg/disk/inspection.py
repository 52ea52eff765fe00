"""What a disk image has: partitions, filesystems, /boot, deployments.  Nothing is mounted."""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bootimg import process
from bootimg.disk.aleph import ALEPH, COREOS_ALEPH
from bootimg.disk.bootpatch import CONSOLE_MARKERS, IGNITION_PLATFORM, BootFiles, read_boot_files
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Partition
from bootimg.disk.view import DiskView
from bootimg.disk.xfsread import XfsImage, is_plain
from bootimg.errors import BootimgError
from bootimg.kernelarg import split
from bootimg.sizes import MIB
from bootimg.untrusted.jsonfile import find_object

Json = dict[str, Any]
ROOT = "root"
_DEPLOYMENTS = "/ostree/deploy"
# The second is the older name, today a link to the first.
_ALEPHS = (f"/{ALEPH}", f"/{COREOS_ALEPH}")
_OSTREE = "ostree="
# blkid's exit status if it finds nothing, or more than one filesystem.
_NOTHING, _AMBIGUOUS = 2, 8


def inspect_disk(disk: Path, disk_format: str, folder: Path) -> Json:
    """The disk as a JSON document; offsets and sizes are in bytes.

    `boot` is None if no partition has that name.  `root` is None if no partition named root has XFS; if that
    XFS cannot be read, `problem` is the error.

    `disk_format` is QEMU's name of the format, `folder` an empty scratch folder.  Errors: those of
    `open_image`, `gpt-damaged`, `boot-partition-unreadable`, `boot-filesystem-damaged`, `qemu-img-missing`,
    `program-missing`.
    """
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
        "partitions": [_partition(view, partition, blkid) for partition in view.gpt.partitions],
        "boot": None,
        "root": None,
    }
    span = view.boot()
    if span is not None:
        with FileSource(view.path) as source:
            document["boot"] = _boot(read_boot_files(source, *span, scratch=folder))
    for partition, described in zip(view.gpt.partitions, document["partitions"], strict=True):
        if partition.name == ROOT and (described["filesystem"] or {}).get("type") == "xfs":
            document["root"] = _root(view, *view.gpt.span(partition.number), folder)
    return document


def _partition(view: DiskView, partition: Partition, blkid: Path) -> Json:
    offset, size = view.gpt.span(partition.number)
    return {
        "number": partition.number,
        "name": partition.name,
        "type": str(partition.type_guid),
        "guid": str(partition.guid),
        "offset": offset,
        "size": size,
        "filesystem": _filesystem(view.path, offset, size, blkid),
    }


def _filesystem(path: Path, offset: int, size: int, blkid: Path) -> Json | None:
    """What blkid finds in the partition's first MiB, where every supported filesystem has its superblock."""
    words = ["--probe", "--usages", "filesystem", "--offset", str(offset), "--size", str(size)]
    # Only the name, because blkid prints the name unchanged; it quotes everything else.
    words += ["--output", "export", path.name]
    done = process.run([blkid, *words], cwd=path.parent, check=False, timeout=60)
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
        "entries": [{"file": name, **bls_entry(text)} for name, text in files.entries.items()],
        "console": None if files.console_cfg is None else console_commands(files.console_cfg),
        "console-markers": files.console_cfg is not None and has_markers(files.console_cfg),
        "ignition-platform": _argument(files.options, IGNITION_PLATFORM),
        "ostree": _argument(files.options, _OSTREE),
        "first-boot": files.firstboot is not None,
    }


def bls_entry(text: str) -> Json:
    """A Boot Loader Specification entry: its keys and their values, `options` and `initrd` as lists."""
    found: Json = {"options": [], "initrd": []}
    for line in text.splitlines():
        key, *values = line.split(maxsplit=1) or [""]
        if not key or key.startswith("#"):
            continue
        value = values[0] if values else ""
        if key in ("options", "initrd"):
            found[key] += split(value.strip())
        else:
            found[key] = value.strip()
    return found


def console_commands(text: str) -> list[str]:
    """The commands between the markers of a console.cfg."""
    lines = text.splitlines()
    if not has_markers(text):
        return []
    start, end = (lines.index(marker) for marker in CONSOLE_MARKERS)
    return [line for line in lines[start + 1 : end] if line]


def has_markers(text: str) -> bool:
    """Whether a console.cfg has the two lines between which coreos-installer writes."""
    lines = text.splitlines()
    return all(marker in lines for marker in CONSOLE_MARKERS)


def _argument(options: Sequence[str], prefix: str) -> str | None:
    return next((word.removeprefix(prefix) for word in options if word.startswith(prefix)), None)


def _root(view: DiskView, offset: int, size: int, folder: Path) -> Json:
    image = root_image(folder)
    view.extract(offset, size, image.path)
    try:
        contents = (image.content(path) for path in _ALEPHS)
        aleph = next((content for content in contents if content is not None), None)
        found = {"deployments": _deployments(image), "aleph": aleph and find_object(aleph)}
    except BootimgError as error:
        return {"deployments": [], "aleph": None, "problem": error.as_dict()}
    return {**found, "problem": None}


def root_image(folder: Path) -> XfsImage:
    """The root filesystem that `inspect_disk` left in its scratch folder, if `root` was not None."""
    return XfsImage(folder / "root")


def deployments(image: XfsImage) -> Iterator[tuple[str, str]]:
    """The stateroot and the path of each deployment."""
    for stateroot in sorted(filter(is_plain, image.listing(_DEPLOYMENTS))):
        folder = f"{_DEPLOYMENTS}/{stateroot}/deploy"
        for name, kind in sorted(image.listing(folder).items()):
            if kind == "directory" and is_plain(name):
                yield stateroot, f"{folder}/{name}"


def _deployments(image: XfsImage) -> list[Json]:
    found = []
    for stateroot, path in deployments(image):
        origin = image.content(f"{path}.origin")
        commit = path.rpartition("/")[2].partition(".")[0]
        found.append({"stateroot": stateroot, "commit": commit, "origin": origin and _origin(origin)})
    return found


def _origin(content: bytes) -> Json | None:
    """The key file's group `origin`; None if the content is not a key file."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(content.decode(errors="replace"))
        return dict(parser["origin"])
    except (configparser.Error, KeyError):
        return None
