"""Reading the pipelines of each platform: its disk image, and the artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bootimg.manifest.model import Pipeline
from bootimg.manifest.packages import DiskFile, is_packed, read_packed, take_converted
from bootimg.manifest.recipe import Disk, Filesystem, Mount, PlatformDisk, Zipl
from bootimg.manifest.stages import (
    IMAGE_FILE,
    check_mounts,
    take_mounts,
    take_size,
    take_tree,
    take_whole_disk,
)
from bootimg.manifest.strict import TakenStage, check_build, check_order, taking, unsupported

_ORDER = ("copy", "truncate", "coreos.platform", "zipl.inst")


@dataclass(frozen=True, slots=True)
class Base:
    """The parts of the base disk that a platform's stages refer to."""

    disk: Disk
    filesystems: tuple[Filesystem, ...]
    mounts: tuple[Mount, ...]


def read_platforms(
    pipelines: Sequence[Pipeline], bases: Mapping[str, Base]
) -> Mapping[str, Sequence[PlatformDisk]]:
    """The platforms of each base disk, by its pipeline; a pipeline without a base disk is refused."""
    found: dict[str, list[PlatformDisk]] = {name: [] for name in bases}
    names = set()
    remaining = list(pipelines)
    while remaining:
        raw, *rest = remaining
        packed = is_packed(rest)
        own = rest[: 2 if packed else 1]
        remaining = rest[len(own) :]
        name = own[-1].name if own else raw.name
        if raw.name != f"raw-{name}-image" or name in names:
            raise unsupported("pipelines", f"{raw.name} followed by {name}")
        names.add(name)
        base = _base_of(raw, bases)
        found[base].append(_read_platform(name, raw, base, bases[base], own))
    return found


def _base_of(raw: Pipeline, bases: Mapping[str, Base]) -> str:
    """The pipeline of the base disk that a platform's image is copied from."""
    references = [stage.inputs.get("tree", {}).get("references") for stage in raw.stages[:1]]
    for name in bases:
        if references == [[f"name:{name}"]]:
            return name
    raise unsupported(raw.name, "it is not a copy of a base disk")


def _read_platform(
    name: str, raw: Pipeline, base_name: str, base: Base, artifact: Sequence[Pipeline]
) -> PlatformDisk:
    check_build(raw, "name:deployed-tree")
    check_order(raw, _ORDER)
    size, platform_id, zipl = None, None, None
    outside_efi = [mount for mount in base.mounts if mount.target in ("/", "/boot")]
    for each in raw.stages:
        with taking(raw.name, each, base.disk.sector_size) as stage:
            match stage.type:
                case "copy":
                    take_tree(stage, base_name)
                    stage.options.expect(
                        "paths", [{"from": f"input://tree/{IMAGE_FILE}", "to": f"tree:///{IMAGE_FILE}"}]
                    )
                case "truncate":
                    size = take_size(stage)
                case "coreos.platform":
                    platform_id = _platform_stage(stage, outside_efi, base.filesystems)
                case "zipl.inst":
                    zipl = _zipl_stage(stage, outside_efi, base)
    if platform_id is None:
        raise unsupported(raw.name, "the disk has no platform")
    file = read_packed(name, artifact) if len(artifact) > 1 else _read_artifact(name, artifact[0])
    return PlatformDisk(name, platform_id, size, zipl, file.name, file.format, file.options, file.package)


def _platform_stage(stage: TakenStage, mounts: Sequence[Mount], filesystems: Sequence[Filesystem]) -> str:
    take_whole_disk(stage)
    check_mounts(stage, take_mounts(stage, filesystems), mounts, deployment=True)
    return stage.options.required("platform", str)


def _zipl_stage(stage: TakenStage, mounts: Sequence[Mount], base: Base) -> Zipl:
    take_whole_disk(stage)
    check_mounts(stage, take_mounts(stage, base.filesystems), mounts, deployment=False)
    options = stage.options
    zipl = Zipl(
        options.required("kernel", str),
        options.arguments("kernel_opts_append"),
        options.required("location", int),
    )
    if zipl.location not in [part.start for part in base.disk.partitions]:
        raise unsupported(stage.where, f"location: {zipl.location}")
    return zipl


def _read_artifact(name: str, pipeline: Pipeline) -> DiskFile:
    check_build(pipeline, None)
    if len(pipeline.stages) != 1:
        raise unsupported(name, f"{len(pipeline.stages)} stages")
    with taking(name, pipeline.stages[0]) as stage:
        if stage.type == "copy":
            return DiskFile(_copied(stage, name), "raw", {})
        if stage.type != "qemu":
            raise unsupported(stage.where, "the stage")
        return take_converted(stage, name)


def _copied(stage: TakenStage, name: str) -> str:
    take_tree(stage, f"raw-{name}-image")
    path = stage.options.only("paths")
    path.expect("from", f"input://tree/{IMAGE_FILE}")
    target = path.required("to", str)
    path.finish()
    if not target.startswith("tree:///"):
        raise unsupported(stage.where, f"to: {target}")
    return target.removeprefix("tree:///")
