"""/usr/lib/image-builder/bootc/disk.yaml: the disk that the layer declares, in image-builder's words.

Sizes are bytes or text with a unit (`127 MiB`).  Every key is taken or refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.printable import shown
from bootimg.sizes import MIB

FOLDER = "usr/lib/image-builder/bootc"
_UNITS = {"": 1, "kB": 1000, "KiB": 1 << 10, "MB": 1000**2, "MiB": 1 << 20, "GB": 1000**3,
          "GiB": 1 << 30, "TB": 1000**4, "TiB": 1 << 40}  # fmt: skip
_SIZE = re.compile(r"([0-9]{1,18})\s*([A-Za-z]*)")
_LIMIT, _NODES = MIB // 4, 10_000
# What PyYAML is known to raise beside YAMLError, where a value is not of the kind that its tag says.
_FAULTS = (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError, RecursionError)
# What is for a file system table, which no CoreOS disk has, and is only written where one is made.
_FSTAB = {"fstab_options", "fstab_freq", "fstab_passno"}


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
            return _Reader(path).disk(tree.read(path))
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


@dataclass(frozen=True, slots=True)
class _Reader:
    path: str

    def disk(self, data: bytes) -> DeclaredDisk:
        try:
            document = _load(data)
        except _FAULTS as error:
            why = " ".join(str(error).split())
            raise unsupported(self.path, f"it is not YAML ({why[:300]})") from None
        top = self._only(document, "the file", {"mount_configuration", "partition_table"})
        if top.get("mount_configuration") != "none":
            mounts = top.get("mount_configuration", "units (the default)")
            raise unsupported(self.path, f"mount_configuration: {shown(mounts)}; bootimg writes no mounts")
        known = {"type", "uuid", "extra_padding", "sector_size", "partitions"}
        table = self._only(top.get("partition_table"), "partition_table", known)
        if table.get("type") != "gpt" or table.get("sector_size", 512) != 512:
            raise unsupported(self.path, "the partition table is to be a GPT with sectors of 512 bytes")
        parts = table.get("partitions")
        if not isinstance(parts, list) or not parts:
            raise unsupported(self.path, "it has no partitions")
        return DeclaredDisk(
            path=self.path,
            uuid=self._text(table, "uuid"),
            extra_padding=self._size(table.get("extra_padding", 0)),
            partitions=tuple(self._partition(part, index) for index, part in enumerate(parts, 1)),
        )

    def _partition(self, part: object, number: int) -> DeclaredPartition:
        where = f"partition {number}"
        known = {"size", "type", "label", "uuid", "bootable", "attrs", "payload_type", "payload"}
        fields = self._only(part, where, known)
        kind, payload = fields.get("payload_type", "none"), fields.get("payload")
        if kind not in ("filesystem", "none", "no-payload", "") or (kind == "filesystem") != (
            payload is not None
        ):
            raise unsupported(self.path, f"{where}: payload_type: {shown(kind)}")
        return DeclaredPartition(
            size=self._size(fields.get("size", 0)),
            type=self._text(fields, "type") or "",
            label=self._text(fields, "label"),
            uuid=self._text(fields, "uuid"),
            bootable=fields.get("bootable", False) is True,
            attrs=self._numbers(fields, "attrs"),
            filesystem=None if payload is None else self._filesystem(payload, where),
        )

    def _filesystem(self, payload: object, where: str) -> DeclaredFilesystem:
        known = {"type", "uuid", "label", "mountpoint", "mkfs_options"}
        fields = self._only(payload, where, known | _FSTAB)
        options = self._only(fields.get("mkfs_options", {}), f"{where}: mkfs_options", {"agcount"})
        return DeclaredFilesystem(
            type=self._text(fields, "type") or "",
            uuid=self._text(fields, "uuid"),
            label=self._text(fields, "label"),
            mountpoint=self._text(fields, "mountpoint"),
            agcount=self._number(options, "agcount"),
        )

    def _only(self, value: object, where: str, known: set[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise unsupported(self.path, f"{where} is {shown(value)}")
        if unknown := sorted(shown(key) for key in value if key not in known):
            raise unsupported(self.path, f"{where} has {', '.join(unknown)[:300]}")
        return value

    def _text(self, fields: Mapping[str, Any], key: str) -> str | None:
        value = fields.get(key)
        if value is not None and not isinstance(value, str):
            raise unsupported(self.path, f"{key}: {shown(value)}")
        return value or None

    def _number(self, fields: Mapping[str, Any], key: str) -> int | None:
        value = fields.get(key)
        if value is not None and (type(value) is not int or value >> 63):
            raise unsupported(self.path, f"{key}: {shown(value)}")
        return value

    def _numbers(self, fields: Mapping[str, Any], key: str) -> tuple[int, ...]:
        values = fields.get(key, [])
        if not isinstance(values, list) or not all(type(each) is int for each in values):
            raise unsupported(self.path, f"{key}: {shown(values)}")
        return tuple(values)

    def _size(self, value: object) -> int:
        if type(value) is int and not value >> 63:
            return value
        match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        if not match or match[2] not in _UNITS:
            raise unsupported(self.path, f"size: {shown(value)}")
        return int(match[1]) * _UNITS[match[2]]


def _load(data: bytes) -> object:
    if len(data) > _LIMIT:
        raise ValueError(f"it has more than {_LIMIT} bytes")
    loader = yaml.SafeLoader(data)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, iter(range(_NODES)))
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count(node: yaml.Node, left: Iterator[int]) -> None:
    """Refuse what merged aliases would blow up: an alias counts as much as what it stands for."""
    if next(left, None) is None:
        raise ValueError(f"it has more than {_NODES} values, aliases counted in full")
    if isinstance(node, yaml.CollectionNode):
        for each in node.value:
            for inner in each if isinstance(each, tuple) else (each,):
                _count(inner, left)
