"""The parts that several stages have: devices, mounts, trees, the layer's image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bootimg.manifest.recipe import Disk, Ext4, Fat, Filesystem, Labels, Mount, Xfs
from bootimg.manifest.strict import Taken, TakenStage, unsupported

IMAGE_FILE = "disk.img"
_FILESYSTEM_TYPES = {Xfs: "org.osbuild.xfs", Ext4: "org.osbuild.ext4", Fat: "org.osbuild.fat"}
# A mount's name is that of its file system in the finished system.
_NAMES = {"root": Xfs, "boot": Ext4, "efi": Fat}
DEPLOYMENT = "ostree.deployment"
_ORDER = ("root", DEPLOYMENT, "boot", "efi")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A named mount of a stage; without a partition it is the deployment."""

    name: str
    partition: int | None
    target: str


def take_loop(stage: TakenStage, name: str) -> Taken:
    """The loop device `name` over the disk image; returns its options, of which the caller takes the rest."""
    device = stage.devices.nested(name)
    device.expect("type", "org.osbuild.loopback")
    options = device.nested("options")
    options.expect("filename", IMAGE_FILE)
    options.expect("sector-size", None if stage.sector_size == 512 else stage.sector_size)
    device.finish()
    return options


def take_size(stage: TakenStage) -> int:
    """The truncate stage's size of the disk image, in bytes."""
    stage.options.expect("filename", IMAGE_FILE)
    size = stage.options.required("size", str)
    # The recipes compute sizes, so the suffixes of truncate(1) do not occur.
    if not (size.isascii() and size.isdigit()):
        raise unsupported(stage.where, f"size: {size}")
    return int(size)


def take_whole_disk(stage: TakenStage) -> None:
    """The device `disk` with its partitions."""
    options = take_loop(stage, "disk")
    options.expect("partscan", True)
    options.finish()


def take_partition(stage: TakenStage, disk: Disk) -> int:
    """The number of the partition that the device `device` covers exactly."""
    options = take_loop(stage, "device")
    start, size = options.required("start", int), options.required("size", int)
    options.expect("lock", True)
    options.finish()
    for part in disk.partitions:
        if (part.start, part.size) == (start, size):
            return part.number
    raise unsupported(stage.where, f"no partition starts at {start} and has {size} sectors")


def take_mounts(stage: TakenStage, filesystems: Sequence[Filesystem]) -> list[Mounted]:
    """The stage's mounts, checked against the file systems that the manifest makes.

    The deployment is on the mounted disk or, if there are no file systems yet, in the tree.
    """
    mounted = [_take_mount(mount, filesystems) for mount in stage.mounts]
    names = [each.name for each in mounted]
    if names != [name for name in _ORDER if name in names]:
        raise unsupported(stage.where, f"mounts in the order {names}")
    return mounted


def _take_mount(mount: Taken, filesystems: Sequence[Filesystem]) -> Mounted:
    name = mount.required("name", str)
    if name == DEPLOYMENT:
        mount.expect("type", "org.osbuild.ostree.deployment")
        options = mount.nested("options")
        options.expect("source", *(["mount"] if filesystems else [None, "tree"]))
        take_default_deployment(options)
        options.finish()
        return Mounted(name, None, "/")
    if name not in _NAMES:
        raise unsupported(mount.where, f"name: {name!r}")
    kind = _NAMES[name]
    mount.expect("type", _FILESYSTEM_TYPES[kind])
    mount.expect("source", "disk")
    partition = mount.required("partition", int)
    if not any(isinstance(each, kind) and each.partition == partition for each in filesystems):
        raise unsupported(mount.where, f"partition {partition!r} has no {kind.__name__}")
    return Mounted(name, partition, mount.required("target", str))


def check_mounts(
    stage: TakenStage, mounted: Sequence[Mounted], expected: Sequence[Mount], *, deployment: bool
) -> None:
    """Refuse mounts other than `expected`; `deployment` tells whether the deployment must be mounted."""
    found = [Mount(each.partition, each.target) for each in mounted if each.partition is not None]
    if found != list(expected):
        raise unsupported(stage.where, f"mounts: {[(mount.partition, mount.target) for mount in found]}")
    if deployment != any(each.name == DEPLOYMENT for each in mounted):
        raise unsupported(stage.where, f"the deployment is {'not ' if deployment else ''}mounted")


def take_tree(stage: TakenStage, pipeline: str) -> None:
    """The input `tree`, which must be the result of `pipeline`."""
    tree = stage.inputs.nested("tree")
    tree.expect("type", "org.osbuild.tree")
    tree.expect("origin", "org.osbuild.pipeline")
    tree.expect("references", [f"name:{pipeline}"])
    tree.finish()


def take_labels(stage: TakenStage, mounted: Sequence[Mounted], target: str) -> Labels:
    """The selinux stage, for `target` as a path of the mounted system."""
    take_tree(stage, "deployed-tree")
    contexts = stage.options.required("file_contexts", str)
    prefix = "input://tree/"
    if not contexts.startswith(prefix):
        raise unsupported(stage.where, f"file_contexts: {contexts}")
    excluded = stage.options.each("exclude_paths", str)
    partitions = tuple(each.partition for each in mounted if each.partition is not None)
    return Labels(target, partitions, contexts.removeprefix(prefix), excluded)


def take_default_deployment(options: Taken) -> None:
    """The option `deployment`, which must be the default one."""
    deployment = options.nested("deployment")
    deployment.expect("default", True)
    deployment.finish()
