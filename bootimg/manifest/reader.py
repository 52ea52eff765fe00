"""Reading a manifest into a `Recipe`: every stage and option ends there or is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bootimg.manifest.model import Manifest, Pipeline
from bootimg.manifest.platforms import read_platforms
from bootimg.manifest.recipe import (
    Attribute,
    BiosTarget,
    Bootupd,
    Directory,
    Disk,
    Ext4,
    Fat,
    Filesystem,
    Labels,
    Mount,
    Partition,
    Recipe,
    Xfs,
)
from bootimg.manifest.stages import (
    DEPLOYMENT,
    IMAGE_FILE,
    Mounted,
    check_mounts,
    take_default_deployment,
    take_labels,
    take_loop,
    take_mounts,
    take_partition,
    take_tree,
    take_whole_disk,
)
from bootimg.manifest.sysroot import read_source, read_sysroot, take_attributes, take_directories
from bootimg.manifest.taken import TakenStage, taking, unsupported

RAW_IMAGE = "raw-image"
_SECTOR = 512


@dataclass
class _Reading:
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

    def root(self) -> tuple[Mount, ...]:
        return tuple(mount for mount in self.mounts if mount.target == "/")


def read_recipe(manifest: Manifest) -> Recipe:
    """The recipe of a rendered manifest; raises `manifest-stage-unsupported`."""
    source = read_source(manifest)
    sysroot = read_sysroot(manifest, source)
    pipeline = manifest.pipeline(RAW_IMAGE)
    reading = _read_raw_image(pipeline)
    if reading.disk is None or not reading.mounts:
        raise unsupported(RAW_IMAGE, "there is no partition table, or nothing is copied to the disk")
    others = {"oci-archive", "deployed-tree", "tree", RAW_IMAGE}
    rest = [each for each in manifest.pipelines if each.name not in others]
    return Recipe(
        reading.disk,
        tuple(reading.filesystems),
        reading.mounts,
        tuple(reading.directories),
        tuple(reading.labels),
        sysroot,
        reading.bootloader,
        tuple(reading.attributes),
        read_platforms(rest, reading.mounts, reading.filesystems, reading.disk),
        source,
    )


def _read_raw_image(pipeline: Pipeline) -> _Reading:
    if pipeline.build != "name:deployed-tree" or pipeline.source_epoch is not None:
        raise unsupported(
            pipeline.name, f"build: {pipeline.build!r}, source-epoch: {pipeline.source_epoch!r}"
        )
    reading = _Reading()
    for each in pipeline.stages:
        with taking(pipeline.name, each) as stage:
            if stage.type not in _STAGES:
                raise unsupported(stage.where, "the stage")
            _STAGES[stage.type](stage, reading)
    return reading


def _truncate(stage: TakenStage, reading: _Reading) -> None:
    stage.options.expect("filename", IMAGE_FILE)
    reading.size = int(stage.options.required("size"))


def _sfdisk(stage: TakenStage, reading: _Reading) -> None:
    if reading.size is None or reading.disk is not None:
        raise unsupported(stage.where, "no image to partition, or a second partition table")
    take_loop(stage, "device").finish()
    parts = [
        _partition(stage, index, each) for index, each in enumerate(stage.options.take("partitions", ()))
    ]
    reading.disk = Disk(
        stage.options.required("label"), stage.options.required("uuid"), _SECTOR, reading.size, tuple(parts)
    )


def _partition(stage: TakenStage, index: int, fields: Mapping[str, object]) -> Partition:
    known = {"name", "start", "size", "type", "partnum", "bootable", "uuid", "attrs"}
    if unknown := sorted(set(fields) - known):
        raise unsupported(stage.where, f"{', '.join(unknown)} of partition {index + 1}")
    number, start, size = fields.get("partnum", index + 1), fields.get("start"), fields.get("size")
    attrs = fields.get("attrs", [])
    assert isinstance(number, int)
    if not isinstance(start, int) or not isinstance(size, int) or not isinstance(attrs, list):
        raise unsupported(stage.where, f"partition {number} without start or size")
    uuid = fields.get("uuid")
    return Partition(
        number,
        str(fields.get("name", "")),
        str(fields.get("type", "")),
        start,
        size,
        bool(fields.get("bootable", False)),
        tuple(attrs),
        None if uuid is None else str(uuid),
    )


def _fat(stage: TakenStage, reading: _Reading) -> None:
    options = stage.options
    numbers = None
    if "geometry" in options:
        geometry = options.nested("geometry")
        numbers = (int(geometry.required("heads")), int(geometry.required("sectors-per-track")))
        geometry.finish()
    number = take_partition(stage, reading.table(stage))
    reading.filesystems.append(
        Fat(number, options.required("volid"), options.take("label"), options.take("fat-size"), numbers)
    )


def _ext4(stage: TakenStage, reading: _Reading) -> None:
    options = stage.options
    number = take_partition(stage, reading.table(stage))
    reading.filesystems.append(
        Ext4(
            number,
            options.required("uuid"),
            options.take("label"),
            options.take("lazy_init"),
            options.take("metadata_csum_seed"),
            options.take("orphan_file"),
            options.take("verity"),
        )
    )


def _xfs(stage: TakenStage, reading: _Reading) -> None:
    options = stage.options
    number = take_partition(stage, reading.table(stage))
    reading.filesystems.append(
        Xfs(number, options.required("uuid"), options.take("label"), options.take("agcount"))
    )


def _mkdir(stage: TakenStage, reading: _Reading) -> None:
    take_whole_disk(stage)
    mounted = take_mounts(stage, reading.filesystems)
    for each in mounted:
        if each.target != f"/{each.name}-mount-point":
            raise unsupported(stage.where, f"target: {each.target}")
    used = set()

    def located(url: str) -> tuple[int | None, str]:
        for each in mounted:
            prefix = f"mount://{each.name}/"
            if url.startswith(prefix):
                used.add(each.name)
                return each.partition, "/" + url.removeprefix(prefix)
        raise unsupported(stage.where, f"path: {url}")

    reading.directories += take_directories(stage, located)
    if used != {each.name for each in mounted}:
        raise unsupported(stage.where, "a mount that no path is on")


def _selinux(stage: TakenStage, reading: _Reading) -> None:
    take_whole_disk(stage)
    mounted = take_mounts(stage, reading.filesystems)
    url = str(stage.options.required("target"))
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
    mounted = take_mounts(stage, reading.filesystems)
    stage.options.expect("paths", [{"from": "input://tree/", "to": "mount://root/"}])
    targets = {each.name: each.target for each in mounted}
    if reading.mounts or targets not in (
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
    check_mounts(stage, take_mounts(stage, reading.filesystems), reading.mounts)
    take_default_deployment(stage.options)
    bios = None
    if "bios" in stage.options:
        options = stage.options.nested("bios")
        options.expect("device", "disk")
        bios = BiosTarget(options.take("partition"))
        options.finish()
    if reading.bootloader:
        raise unsupported(stage.where, "a second stage of this type")
    reading.bootloader = Bootupd(bool(stage.options.take("static-configs", False)), bios)


def _chattr(stage: TakenStage, reading: _Reading) -> None:
    take_whole_disk(stage)
    mounted: list[Mounted] = take_mounts(stage, reading.filesystems)
    check_mounts(stage, mounted, reading.root())
    if not any(each.name == DEPLOYMENT for each in mounted):
        raise unsupported(stage.where, "no deployment is mounted")
    reading.attributes += take_attributes(stage, "mount://root/")


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
}
