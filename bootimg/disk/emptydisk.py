"""The file systems of a recipe before anything is deployed on them, with its first directories."""

from __future__ import annotations

from bootimg.appliance import Appliance
from bootimg.disk import filesystems, labels
from bootimg.disk.ostree_deploy import SYSROOT
from bootimg.manifest.recipe import Mount, Recipe


def make_filesystems(vm: Appliance, recipe: Recipe) -> None:
    """Make the file systems and, on each, the directories that the recipe wants there."""
    filesystems.limit_dirty_pages(vm)
    filesystems.make_filesystems(vm, recipe, recipe.drive)
    for directory in recipe.directories:
        assert directory.partition is not None
        alone = Mount(directory.partition, "/")
        filesystems.mount(vm, recipe, recipe.drive, [alone])
        make_directory(
            vm, directory.path, directory.mode, parents=directory.parents, exist_ok=directory.exist_ok
        )
        filesystems.unmount(vm, [alone], trim=False)


def label_filesystems(vm: Appliance, recipe: Recipe) -> None:
    """Label the empty file systems as the recipe says."""
    own = (recipe.sysroot.labels,) if recipe.sysroot and recipe.sysroot.labels else ()
    for entry in (*own, *recipe.labels):
        partitions = entry.mounted or (recipe.mounts[0].partition,)
        mounts = [mount for mount in recipe.mounts if mount.partition in partitions]
        filesystems.mount(vm, recipe, recipe.drive, mounts)
        labels.label_empty(vm, entry)
        filesystems.unmount(vm, mounts, trim=False)


def make_directory(vm: Appliance, path: str, mode: int, *, parents: bool, exist_ok: bool) -> None:
    """Make a directory of the disk; `path` is seen from its root."""
    target = f"{SYSROOT}/{path.strip('/')}"
    flags = ["-p"] if parents or exist_ok else []
    vm.run(["mkdir", *flags, target], timeout=60)
    vm.run(["chmod", f"{mode:04o}", target], timeout=60)
