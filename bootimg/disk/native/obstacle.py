"""What the native way cannot do, as far as the recipe shows it."""

from __future__ import annotations

from uuid import UUID

from bootimg.arch import Arch
from bootimg.disk.bootloaders.bootcode import PARTITION as BIOS_BOOT
from bootimg.disk.bootloaders.choice import BOOTLOADERS
from bootimg.disk.bootloaders.prep_grub import is_prep
from bootimg.manifest.recipe import Ext4, Fat, Recipe, Xfs
from bootimg.sysroot.wanted import BOOT_MOUNT, ESP_MOUNT, ROOT_MOUNT

_KINDS = {ROOT_MOUNT: Xfs, BOOT_MOUNT: Ext4, ESP_MOUNT: Fat}


def native_obstacle(recipe: Recipe, arch: Arch) -> str | None:
    """Why the appliance must make the disk, as one line without a full stop; None if it need not."""
    if recipe.sysroot is None:
        return "bootc installs the layer by itself"
    if any(kind not in BOOTLOADERS for kind in arch.row.bootloaders):
        return f"the bootloader of {arch} is not known here"
    if _lacks_boot_partition(recipe):
        return "the recipe has no BIOS boot partition for its bootloader"
    if not recipe.source_epoch:
        return "the recipe has no source epoch"
    return _unknown_filesystem(recipe)


def _lacks_boot_partition(recipe: Recipe) -> bool:
    options = recipe.bootloader
    if options is None or options.bios is None or is_prep(options, recipe.disk):
        return False
    return all(UUID(part.type) != BIOS_BOOT for part in recipe.disk.partitions)


def _unknown_filesystem(recipe: Recipe) -> str | None:
    targets = {mount.partition: mount.target for mount in recipe.mounts}
    for filesystem in recipe.filesystems:
        target = targets.get(filesystem.partition, "")
        if not isinstance(filesystem, _KINDS.get(target, ())):
            return f"partition {filesystem.partition} has another file system than usual for {target or 'it'}"
    missing = {ROOT_MOUNT, BOOT_MOUNT} - set(targets.values())
    return f"the recipe has no file system for {missing.pop()}" if missing else None
