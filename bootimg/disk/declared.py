"""The disk that a layer declares against the one that the recipe makes: they must be the same."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.layer.declared.diskyaml import DeclaredDisk, DeclaredPartition, unsupported
from bootimg.manifest.recipe import Disk, Ext4, Fat, Filesystem, Partition, Recipe, Xfs

_TYPES = {Fat: "vfat", Ext4: "ext4", Xfs: "xfs"}
# The backup GPT: a header and 128 entries of 128 bytes, in sectors of 512 bytes.
_BACKUP = 33


def require_declared(declared: DeclaredDisk, recipe: Recipe) -> None:
    """`disk-layout-unsupported` names what of the declared disk the recipe does not make.

    What a declaration leaves open is the recipe's business: GUIDs, labels, options of a file system.
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
        yield f"extra_padding: {declared.extra_padding}, and the recipe leaves {free} bytes"
    made = {filesystem.partition: filesystem for filesystem in recipe.filesystems}
    mounts = {mount.partition: mount.target for mount in recipe.mounts}
    for theirs, ours in zip(declared.partitions, disk.partitions, strict=False):
        last = ours is disk.partitions[-1]
        for what in _partition(theirs, ours, last, disk.sector_size):
            yield f"partition {ours.number}: {what}"
        for what in _filesystem(theirs, made.get(ours.number), mounts.get(ours.number)):
            yield f"partition {ours.number}: {what}"


def _free(disk: Disk) -> int:
    end = max(part.start + part.size for part in disk.partitions)
    return disk.size - (end + _BACKUP) * disk.sector_size


def _partition(theirs: DeclaredPartition, ours: Partition, last: bool, sector: int) -> Iterator[str]:
    size = ours.size * sector
    if theirs.size > size or (theirs.size != size and not last):
        yield f"{theirs.size} bytes, in the recipe {size}"
    if not _same(theirs.type, ours.type):
        yield f"the type {theirs.type}, in the recipe {ours.type}"
    if theirs.label not in (None, ours.name):
        yield f"the label {theirs.label}, in the recipe {ours.name}"
    if theirs.uuid and not _same(theirs.uuid, ours.uuid):
        yield f"the GUID {theirs.uuid}, which the recipe does not set"
    if theirs.bootable != ours.bootable or theirs.attrs != ours.attrs:
        yield "other attributes than in the recipe"


def _filesystem(theirs: DeclaredPartition, ours: Filesystem | None, target: str | None) -> Iterator[str]:
    wanted = theirs.filesystem
    if (wanted is None) != (ours is None):
        yield f"{'no' if wanted is None else 'a'} file system, against the recipe"
    if wanted is None or ours is None:
        return
    if wanted.type != _TYPES[type(ours)]:
        yield f"the file system {wanted.type}, in the recipe {_TYPES[type(ours)]}"
    identity = ours.volid if isinstance(ours, Fat) else ours.uuid
    if not _same(wanted.uuid, identity):
        yield f"the file system's UUID {wanted.uuid}, in the recipe {identity}"
    if wanted.label not in (None, ours.label):
        yield f"the file system's label {wanted.label}, in the recipe {ours.label}"
    if wanted.mountpoint not in (None, target):
        yield f"the mount point {wanted.mountpoint}, in the recipe {target}"
    if wanted.agcount is not None and wanted.agcount != (ours.agcount if isinstance(ours, Xfs) else None):
        yield f"agcount {wanted.agcount}, against the recipe"


def _same(theirs: str | None, ours: str | None) -> bool:
    """Whether two GUIDs or volume ids are the same; one that is left open is."""
    return theirs is None or theirs.replace("-", "").lower() == (ours or "").replace("-", "").lower()
