"""Reading a manifest into a `Recipe`.  A stage or option that the recipe cannot express is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bootimg.manifest.bootc import INSTALL, BootcReading
from bootimg.manifest.model import Manifest, Pipeline
from bootimg.manifest.platforms import Base, read_platforms
from bootimg.manifest.recipe import (
    Attribute,
    BiosTarget,
    Bootupd,
    ContainerSource,
    Directory,
    Disk,
    Ext4,
    Fat,
    Filesystem,
    Labels,
    Mount,
    Partition,
    PlatformDisk,
    Recipe,
    Sysroot,
    Xfs,
)
from bootimg.manifest.render import BASES
from bootimg.manifest.stages import (
    check_mounts,
    take_default_deployment,
    take_labels,
    take_loop,
    take_mounts,
    take_partition,
    take_size,
    take_tree,
    take_whole_disk,
)
from bootimg.manifest.strict import Taken, TakenStage, check_build, check_order, taking, unsupported
from bootimg.manifest.sysroot import (
    ARCHIVE_PIPELINE,
    read_source,
    read_sysroot,
    take_attributes,
    take_directories,
)

_PIPELINES = (ARCHIVE_PIPELINE, "deployed-tree", "tree")
_ORDER = (
    *("truncate", "sfdisk", "mkfs.fat", "mkfs.ext4", "mkfs.xfs", "mkdir"),
    *("selinux", "selinux", "copy", "bootupd", "chattr", INSTALL, "ignition", "ln"),
)


@dataclass
class _Reading:
    pipeline: str
    sector_size: int
    bootc: BootcReading
    size: int | None = None
    disk: Disk | None = None
    filesystems: list[Filesystem] = field(default_factory=list)
    mounts: tuple[Mount, ...] = ()
    directories: list[Directory] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    bootloader: Bootupd | None = None
    attributes: list[Attribute] = field(default_factory=list)

    def table(self, stage: TakenStage) -> Disk:
        if self.disk is None:
            raise unsupported(stage.where, "it comes before the partition table")
        return self.disk

    def base(self) -> Base:
        if self.disk is None or not self.mounts:
            raise unsupported(self.pipeline, "it has no partition table, or nothing is copied to the disk")
        return Base(self.disk, tuple(self.filesystems), self.mounts)

    def recipe(
        self, platforms: Sequence[PlatformDisk], sysroot: Sysroot | None, source: ContainerSource
    ) -> Recipe:
        base = self.base()
        return Recipe(
            base.disk,
            base.filesystems,
            base.mounts,
            tuple(self.directories),
            tuple(self.labels),
            sysroot,
            self.bootloader,
            tuple(self.attributes),
            {each.name: each for each in platforms},
            source,
            self.bootc.result() if self.bootc.begun else None,
        )

    def root(self) -> tuple[Mount, ...]:
        return tuple(mount for mount in self.mounts if mount.target == "/")


def read_recipes(manifest: Manifest) -> dict[int, Recipe]:
    """A recipe for each base disk that a rendered manifest makes, by sector size."""
    source = read_source(manifest)
    by_ostree = any(pipeline.name == "tree" for pipeline in manifest.pipelines)
    sysroot = read_sysroot(manifest, source) if by_ostree else None
    bases, platforms = _parts(manifest)
    readings = {}
    for sector_size, pipeline in bases.items():
        reading = _read_raw_image(pipeline, sector_size, BootcReading(manifest, source))
        if by_ostree == reading.bootc.begun:
            raise unsupported(
                pipeline.name, "either ostree must deploy the layer or bootc install it, not both or neither"
            )
        readings[pipeline.name] = reading
    found = read_platforms(platforms, {name: reading.base() for name, reading in readings.items()})
    return {
        reading.sector_size: reading.recipe(found[name], sysroot, source)
        for name, reading in readings.items()
    }


def _parts(manifest: Manifest) -> tuple[dict[int, Pipeline], Sequence[Pipeline]]:
    """The pipelines of the base disks by sector size, and those of the platforms, which come last."""
    names = [pipeline.name for pipeline in manifest.pipelines]
    # The archive is missing if osbuild fetches the image, and the tree if bootc makes it.
    own = [name for name in _PIPELINES if name in names or name not in (ARCHIVE_PIPELINE, "tree")]
    first = len(own)
    if names[:first] != own or BASES[512] not in names[first : first + 1]:
        raise unsupported("pipelines", f"not in the order {', '.join([*own, BASES[512]])}")
    bases = {512: manifest.pipelines[first]}
    if BASES[4096] in names[first + 1 : first + 2]:
        bases[4096] = manifest.pipelines[first + 1]
    return bases, manifest.pipelines[first + len(bases) :]


def _read_raw_image(pipeline: Pipeline, sector_size: int, bootc: BootcReading) -> _Reading:
    check_build(pipeline, "name:deployed-tree")
    check_order(pipeline, _ORDER)
    reading = _Reading(pipeline.name, sector_size, bootc)
    for each in pipeline.stages:
        with taking(pipeline.name, each, sector_size) as stage:
            _STAGES[stage.type](stage, reading)
    return reading


def _truncate(stage: TakenStage, reading: _Reading) -> None:
    reading.size = take_size(stage)


def _sfdisk(stage: TakenStage, reading: _Reading) -> None:
    if reading.size is None:
        raise unsupported(stage.where, "no image to partition")
    take_loop(stage, "device").finish()
    options = stage.options
    parts = tuple(_partition(each) for each in options.objects("partitions"))
    if len({part.number for part in parts}) != len(parts):
        raise unsupported(stage.where, f"partnum: {[part.number for part in parts]}")
    label, uuid = options.required("label", str), options.required("uuid", str)
    reading.disk = Disk(label, uuid, reading.sector_size, reading.size, parts)


def _partition(fields: Taken) -> Partition:
    partition = Partition(
        fields.required("partnum", int),
        fields.required("name", str),
        fields.required("type", str),
        fields.required("start", int),
        fields.required("size", int),
        fields.take("bootable", bool) or False,
        fields.each("attrs", int),
        fields.take("uuid", str),
    )
    fields.finish()
    return partition


def _fat(stage: TakenStage, reading: _Reading) -> None:
    options = stage.options
    numbers = None
    if "geometry" in options:
        geometry = options.nested("geometry")
        numbers = (geometry.required("heads", int), geometry.required("sectors-per-track", int))
        geometry.finish()
    number = take_partition(stage, reading.table(stage))
    volid, label = options.required("volid", str), options.take("label", str)
    reading.filesystems.append(Fat(number, volid, label, options.take("fat-size", int), numbers))


def _ext4(stage: TakenStage, reading: _Reading) -> None:
    options = stage.options
    number = take_partition(stage, reading.table(stage))
    reading.filesystems.append(
        Ext4(
            number,
            options.required("uuid", str),
            options.take("label", str),
            options.take("lazy_init", bool),
            options.take("metadata_csum_seed", bool),
            options.take("orphan_file", bool),
            options.take("verity", bool),
        )
    )


def _xfs(stage: TakenStage, reading: _Reading) -> None:
    options = stage.options
    number = take_partition(stage, reading.table(stage))
    uuid, label = options.required("uuid", str), options.take("label", str)
    reading.filesystems.append(Xfs(number, uuid, label, options.take("agcount", int)))


def _mkdir(stage: TakenStage, reading: _Reading) -> None:
    take_whole_disk(stage)
    mounted = take_mounts(stage, reading.filesystems)
    for each in mounted:
        if each.target != f"/{each.name}-mount-point":
            raise unsupported(stage.where, f"target: {each.target}")
    mounts_in_use = set()

    def located(url: str) -> tuple[int | None, str]:
        for each in mounted:
            prefix = f"mount://{each.name}/"
            if url.startswith(prefix):
                mounts_in_use.add(each.name)
                return each.partition, "/" + url.removeprefix(prefix)
        raise unsupported(stage.where, f"path: {url}")

    reading.directories += take_directories(stage, located)
    if mounts_in_use != {each.name for each in mounted}:
        raise unsupported(stage.where, "a mount that no path is on")


def _selinux(stage: TakenStage, reading: _Reading) -> None:
    take_whole_disk(stage)
    mounted = take_mounts(stage, reading.filesystems)
    url = stage.options.required("target", str)
    if not url.startswith("mount://root/"):
        raise unsupported(stage.where, f"target: {url}")
    target = url.removeprefix("mount://root")
    wanted = {"/": ["/"], "/boot/": ["/", "/boot"]}.get(target)
    if [each.target for each in mounted] != wanted:
        raise unsupported(stage.where, f"{target} with {[each.target for each in mounted]} mounted")
    reading.labels.append(take_labels(stage, mounted, target))


def _copy(stage: TakenStage, reading: _Reading) -> None:
    take_whole_disk(stage)
    take_tree(stage, "tree")
    stage.options.expect("paths", [{"from": "input://tree/", "to": "mount://root/"}])
    _all_mounts(stage, reading)


def _all_mounts(stage: TakenStage, reading: _Reading) -> None:
    """Read the mounts of the finished system, which must include every file system."""
    mounted = take_mounts(stage, reading.filesystems)
    targets = {each.name: each.target for each in mounted}
    if targets not in (
        {"root": "/", "boot": "/boot"},
        {"root": "/", "boot": "/boot", "efi": "/boot/efi"},
    ):
        raise unsupported(stage.where, f"mounts: {targets}")
    if len(mounted) != len(reading.filesystems):
        raise unsupported(stage.where, "a file system that is not mounted")
    reading.mounts = tuple(
        Mount(each.partition, each.target) for each in mounted if each.partition is not None
    )


def _bootupd(stage: TakenStage, reading: _Reading) -> None:
    take_whole_disk(stage)
    check_mounts(stage, take_mounts(stage, reading.filesystems), reading.mounts, deployment=False)
    take_default_deployment(stage.options)
    bios = None
    if "bios" in stage.options:
        options = stage.options.nested("bios")
        options.expect("device", "disk")
        bios = BiosTarget(options.take("partition", int))
        options.finish()
    reading.bootloader = Bootupd(stage.options.take("static-configs", bool) or False, bios)


def _chattr(stage: TakenStage, reading: _Reading) -> None:
    take_whole_disk(stage)
    check_mounts(stage, take_mounts(stage, reading.filesystems), reading.root(), deployment=True)
    reading.attributes += take_attributes(stage, "mount://root/")


def _bootc(stage: TakenStage, reading: _Reading) -> None:
    reading.bootc.install(stage)
    _all_mounts(stage, reading)


def _ignition(stage: TakenStage, reading: _Reading) -> None:
    reading.bootc.ignition(stage, take_mounts(stage, reading.filesystems), reading.mounts)


def _links(stage: TakenStage, reading: _Reading) -> None:
    reading.bootc.link(stage, take_mounts(stage, reading.filesystems), reading.mounts)


_STAGES: Mapping[str, Callable[[TakenStage, _Reading], None]] = {
    "truncate": _truncate,
    "sfdisk": _sfdisk,
    "mkfs.fat": _fat,
    "mkfs.ext4": _ext4,
    "mkfs.xfs": _xfs,
    "mkdir": _mkdir,
    "selinux": _selinux,
    "copy": _copy,
    "bootupd": _bootupd,
    "chattr": _chattr,
    INSTALL: _bootc,
    "ignition": _ignition,
    "ln": _links,
}
