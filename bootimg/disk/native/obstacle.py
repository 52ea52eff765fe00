"""What the native way cannot do, as far as the recipe and the layer's tree show it."""

from __future__ import annotations

from bootimg.arch import Arch
from bootimg.disk.bootloaders.bootupd import brings_bootupd
from bootimg.disk.bootloaders.choice import BOOTLOADERS
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Ext4, Fat, Recipe, Xfs
from bootimg.sysroot.wanted import BOOT_MOUNT, ESP_MOUNT, ROOT_MOUNT

_KINDS = {ROOT_MOUNT: Xfs, BOOT_MOUNT: Ext4, ESP_MOUNT: Fat}


def native_obstacle(recipe: Recipe, arch: Arch, tools: Tree) -> str | None:
    """Why the appliance must make the disk, as one line without a full stop; None if it need not."""
    if recipe.sysroot is None:
        return "bootc installs the layer by itself"
    if recipe.bootloader is not None and brings_bootupd(tools):
        return "the layer's bootupd installs the bootloader, and it needs devices and mounts"
    if any(kind not in BOOTLOADERS for kind in arch.row.bootloaders):
        return f"the bootloader of {arch} is not known here"
    if not recipe.source_epoch:
        return "the recipe has no source epoch"
    return _unknown_filesystem(recipe)


def _unknown_filesystem(recipe: Recipe) -> str | None:
    targets = {mount.partition: mount.target for mount in recipe.mounts}
    for filesystem in recipe.filesystems:
        target = targets.get(filesystem.partition, "")
        if not isinstance(filesystem, _KINDS.get(target, ())):
            return f"partition {filesystem.partition} has another file system than usual for {target or 'it'}"
    missing = {ROOT_MOUNT, BOOT_MOUNT} - set(targets.values())
    return f"the recipe has no file system for {missing.pop()}" if missing else None
