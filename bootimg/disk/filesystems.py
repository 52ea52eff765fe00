"""The file systems of a base disk.  The tool tree's programs make and check them in the appliance."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.appliance import Appliance
from bootimg.disk.ostree_deploy import SYSROOT
from bootimg.manifest.recipe import Ext4, Fat, Filesystem, Mount, Recipe, Xfs

_DIRTY = 32 << 20
_KINDS = {Ext4: "ext4", Fat: "vfat", Xfs: "xfs"}


def mkfs_argv(filesystem: Filesystem, device: str) -> list[str]:
    """The command that makes the file system, with the options of osbuild's mkfs stages.

    ext4's directory hash seed is its UUID, so that the same content gives the same bytes.
    """
    match filesystem:
        case Fat():
            return _mkfs_fat(filesystem, device)
        case Ext4():
            return _mkfs_ext4(filesystem, device)
        case Xfs():
            return _mkfs_xfs(filesystem, device)


def _mkfs_fat(fat: Fat, device: str) -> list[str]:
    argv = ["mkfs.fat", "-I", "-i", fat.volid]
    if fat.label:
        argv += ["-n", fat.label]
    if fat.fat_size:
        argv += ["-F", str(fat.fat_size)]
    if fat.geometry:
        argv += ["-g", "{}/{}".format(*fat.geometry)]
    return [*argv, device]


def _mkfs_ext4(ext4: Ext4, device: str) -> list[str]:
    argv = ["mkfs.ext4", "-q", "-F", "-U", ext4.uuid]
    if ext4.label:
        argv += ["-L", ext4.label]
    extended = [f"hash_seed={ext4.uuid}"]
    if ext4.lazy_init is not None:
        flag = int(ext4.lazy_init)
        extended += [f"lazy_itable_init={flag}", f"lazy_journal_init={flag}"]
    features = [name if enabled else f"^{name}" for name, enabled in optional_features(ext4).items()]
    if features:
        argv += ["-O", ",".join(features)]
    return [*argv, "-E", ",".join(extended), device]


def optional_features(ext4: Ext4) -> dict[str, bool]:
    """The features that the recipe switches on or off; the others are mke2fs's own choice."""
    features = {
        "metadata_csum_seed": ext4.metadata_csum_seed,
        "orphan_file": ext4.orphan_file,
        "verity": ext4.verity,
    }
    return {name: enabled for name, enabled in features.items() if enabled is not None}


def _mkfs_xfs(xfs: Xfs, device: str) -> list[str]:
    argv = ["mkfs.xfs", "-q", "-f", "-m", f"uuid={xfs.uuid}"]
    if xfs.label:
        argv += ["-L", xfs.label]
    if xfs.agcount is not None:
        argv += ["-d", f"agcount={xfs.agcount}"]
    return [*argv, device]


def make_filesystems(vm: Appliance, recipe: Recipe, disk: str) -> None:
    """Make every file system of the recipe on the drive labelled `disk`."""
    epoch = str(recipe.source_epoch)
    env = {"SOURCE_DATE_EPOCH": epoch, "E2FSPROGS_FAKE_TIME": epoch}
    for filesystem in recipe.filesystems:
        vm.run(mkfs_argv(filesystem, vm.device(disk, filesystem.partition)), timeout=300, env=env)


def limit_dirty_pages(vm: Appliance) -> None:
    """Make the kernel write to the disk early.

    XFS reserves the worst case for every file that it has not allocated yet.  With thousands of such files in
    memory, a file system that is large enough reports that it is full.
    """
    vm.run(["sh", "-c", f"echo {_DIRTY} > /proc/sys/vm/dirty_bytes"], timeout=60)


def mount_point(mount: Mount) -> str:
    """The path of a recipe's mount in the appliance."""
    return f"{SYSROOT}{mount.target}".rstrip("/")


def mount(vm: Appliance, recipe: Recipe, disk: str, mounts: Sequence[Mount]) -> None:
    """Mount these file systems of the recipe, in order."""
    kinds = {filesystem.partition: _KINDS[type(filesystem)] for filesystem in recipe.filesystems}
    for entry in mounts:
        device = vm.device(disk, entry.partition)
        vm.run(["mount", "-t", kinds[entry.partition], device, mount_point(entry)], timeout=120)


def unmount(vm: Appliance, mounts: Sequence[Mount], *, trim: bool) -> None:
    """Unmount in reverse order; `trim` discards free space first, so that it becomes holes."""
    for entry in reversed(mounts):
        if trim:
            vm.run(["fstrim", mount_point(entry)], timeout=300)
        vm.run(["umount", mount_point(entry)], timeout=300)


def check_filesystems(vm: Appliance, recipe: Recipe, disk: str) -> None:
    """Check every unmounted file system with its own checker, which changes nothing."""
    checkers = {Ext4: ["e2fsck", "-fn"], Fat: ["fsck.fat", "-n"], Xfs: ["xfs_repair", "-n"]}
    for filesystem in recipe.filesystems:
        vm.run([*checkers[type(filesystem)], vm.device(disk, filesystem.partition)], timeout=600)
