"""Checks that the recipe makes the disk that the layer declares."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.layer.declared.diskyaml import DeclaredDisk, DeclaredPartition, unsupported
from bootimg.manifest.recipe import Disk, Ext4, Fat, Filesystem, Partition, Recipe, Xfs

_TYPES = {Fat: "vfat", Ext4: "ext4", Xfs: "xfs"}
# The backup GPT: a header and 128 entries of 128 bytes, in sectors of 512 bytes.
_BACKUP = 33


def require_declared(declared: DeclaredDisk, recipe: Recipe) -> None:
    """Raise `disk-layout-unsupported`, naming the first difference between declaration and recipe.

    The recipe decides what a declaration leaves open: GUIDs, labels, options of a file system.
    """
    for what in _differences(declared, recipe):
        raise unsupported(declared.path, what)


def _differences(declared: DeclaredDisk, recipe: Recipe) -> Iterator[str]:
    disk = recipe.disk
    if not _same(declared.uuid, disk.uuid):
        yield f"the disk has the GUID {declared.uuid}, in the recipe {disk.uuid}"
    if len(declared.partitions) != len(disk.partitions):
        yield f"it has {len(declared.partitions)} partitions, the recipe {len(disk.partitions)}"
    free = _free(disk)
    if free < declared.extra_padding:
        yield f"extra_padding: {declared.extra_padding}, but the recipe leaves {free} bytes"
    filesystems = {filesystem.partition: filesystem for filesystem in recipe.filesystems}
    mounts = {mount.partition: mount.target for mount in recipe.mounts}
    for wanted, made in zip(declared.partitions, disk.partitions, strict=False):
        last = made is disk.partitions[-1]
        for what in _partition(wanted, made, last, disk.sector_size):
            yield f"partition {made.number}: {what}"
        for what in _filesystem(wanted, filesystems.get(made.number), mounts.get(made.number)):
            yield f"partition {made.number}: {what}"


def _free(disk: Disk) -> int:
    end = max(part.start + part.size for part in disk.partitions)
    return disk.size - (end + _BACKUP) * disk.sector_size


def _partition(wanted: DeclaredPartition, made: Partition, last: bool, sector: int) -> Iterator[str]:
    size = made.size * sector
    if wanted.size > size or (wanted.size != size and not last):
        yield f"{wanted.size} bytes, in the recipe {size}"
    if not _same(wanted.type, made.type):
        yield f"the type {wanted.type}, in the recipe {made.type}"
    if wanted.label not in (None, made.name):
        yield f"the label {wanted.label}, in the recipe {made.name}"
    if wanted.uuid and not _same(wanted.uuid, made.uuid):
        yield f"the GUID {wanted.uuid}, which the recipe does not set"
    if wanted.bootable != made.bootable or wanted.attrs != made.attrs:
        yield "other attributes than in the recipe"


def _filesystem(part: DeclaredPartition, made: Filesystem | None, target: str | None) -> Iterator[str]:
    wanted = part.filesystem
    if (wanted is None) != (made is None):
        yield f"{'no' if wanted is None else 'a'} file system, unlike the recipe"
    if wanted is None or made is None:
        return
    if wanted.type != _TYPES[type(made)]:
        yield f"the file system {wanted.type}, in the recipe {_TYPES[type(made)]}"
    identity = made.volid if isinstance(made, Fat) else made.uuid
    if not _same(wanted.uuid, identity):
        yield f"the file system's UUID {wanted.uuid}, in the recipe {identity}"
    if wanted.label not in (None, made.label):
        yield f"the file system's label {wanted.label}, in the recipe {made.label}"
    if wanted.mountpoint not in (None, target):
        yield f"the mount point {wanted.mountpoint}, in the recipe {target}"
    if wanted.agcount is not None and wanted.agcount != (made.agcount if isinstance(made, Xfs) else None):
        yield f"agcount {wanted.agcount}, unlike the recipe"


def _same(wanted: str | None, made: str | None) -> bool:
    """Whether two GUIDs or volume ids are equal; any matches if the declaration leaves it open."""
    return wanted is None or wanted.replace("-", "").lower() == (made or "").replace("-", "").lower()
