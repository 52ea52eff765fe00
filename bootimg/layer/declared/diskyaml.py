"""/usr/lib/image-builder/bootc/disk.yaml: the disk that the layer declares, in image-builder's words.

Sizes are bytes or text with a unit (`127 MiB`).  Every key is taken or refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.printable import shown
from bootimg.untrusted.node import Fields, Node
from bootimg.untrusted.yamlfile import parse_yaml

FOLDER = "usr/lib/image-builder/bootc"
_UNITS = {"": 1, "kB": 1000, "KiB": 1 << 10, "MB": 1000**2, "MiB": 1 << 20, "GB": 1000**3,
          "GiB": 1 << 30, "TB": 1000**4, "TiB": 1 << 40}  # fmt: skip
_SIZE = re.compile(r"([0-9]{1,18})\s*([A-Za-z]*)")
# What is for a file system table, which no CoreOS disk has, and is only written where one is made.
_FSTAB = ("fstab_options", "fstab_freq", "fstab_passno")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFilesystem:
    """A file system to be made; `uuid` as it is written there."""

    type: str
    uuid: str | None
    label: str | None
    mountpoint: str | None
    agcount: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredPartition:
    """A partition; `size` in bytes is the least it may have where it is the last one."""

    size: int
    type: str
    label: str | None
    uuid: str | None
    bootable: bool
    attrs: tuple[int, ...]
    filesystem: DeclaredFilesystem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredDisk:
    """The disk; `extra_padding` are bytes that stay free between the last partition and the backup GPT."""

    path: str
    uuid: str | None
    extra_padding: int
    partitions: tuple[DeclaredPartition, ...]


def read_disk_yaml(tree: Tree, arch: Arch) -> DeclaredDisk | None:
    """What the layer declares; None where it declares nothing, `disk-layout-unsupported` for the rest."""
    for name in ("disk.yaml", f"{arch}.yaml"):
        path = f"{FOLDER}/{name}"
        if tree.exists(path):
            return _disk(tree.read(path), path)
    return None


def unsupported(path: str, what: str) -> BootimgError:
    """The error for a declared disk that bootimg's recipe does not make."""
    return BootimgError(
        "disk-layout-unsupported",
        "the layer declares another disk than bootimg makes",
        context=[f"/{path}: {what}"],
        hint="change it where the layer is made, or make the disk with image-builder",
        exit_code=ExitCode.USAGE,
    )


def _disk(data: bytes, path: str) -> DeclaredDisk:
    refuse = partial(unsupported, path)
    top = parse_yaml(data, refuse, numbers=True).allow(("mount_configuration", "partition_table"))
    if top.at("mount_configuration").value != "none":
        mounts = (
            "units (the default)"
            if top.is_absent("mount_configuration")
            else shown(top.at("mount_configuration").value)
        )
        raise refuse(f"mount_configuration: {mounts}; bootimg writes no mounts")
    table = top.nested("partition_table").allow(
        ("type", "uuid", "extra_padding", "sector_size", "partitions")
    )
    table.needed("type").one_of("gpt")
    table.expect("sector_size", None, 512)
    partitions = tuple(map(_partition, table.objects("partitions")))
    if not partitions:
        raise refuse("it has no partitions")
    return DeclaredDisk(
        path=path,
        uuid=table.take("uuid", str) or None,
        extra_padding=_size(table.at("extra_padding")),
        partitions=partitions,
    )


def _partition(fields: Fields) -> DeclaredPartition:
    fields.allow(("size", "type", "label", "uuid", "bootable", "attrs", "payload_type", "payload"))
    has_payload = not fields.is_absent("payload")
    fields.at("payload_type").one_of(*(["filesystem"] if has_payload else [None, "none", "no-payload", ""]))
    return DeclaredPartition(
        size=_size(fields.at("size")),
        type=fields.take("type", str) or "",
        label=fields.take("label", str) or None,
        uuid=fields.take("uuid", str) or None,
        bootable=bool(fields.take("bootable", bool)),
        attrs=fields.each("attrs", int),
        filesystem=_filesystem(fields.nested("payload")) if has_payload else None,
    )


def _filesystem(fields: Fields) -> DeclaredFilesystem:
    fields.allow(("type", "uuid", "label", "mountpoint", "mkfs_options", *_FSTAB))
    return DeclaredFilesystem(
        type=fields.take("type", str) or "",
        uuid=fields.take("uuid", str) or None,
        label=fields.take("label", str) or None,
        mountpoint=fields.take("mountpoint", str) or None,
        agcount=fields.nested("mkfs_options").allow(["agcount"]).number("agcount"),
    )


def _size(node: Node) -> int:
    """Bytes; 0 where nothing is said."""
    if not isinstance(node.value, str):
        return 0 if node.value is None else node.number()
    match = _SIZE.fullmatch(node.value.strip())
    if not match or match[2] not in _UNITS:
        raise node.error(f"is not a size: {shown(node.value)}")
    return int(match[1]) * _UNITS[match[2]]
