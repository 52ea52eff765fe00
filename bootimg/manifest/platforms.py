"""Reading the two pipelines of each platform: its disk image, and the artifact."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.manifest.model import Pipeline
from bootimg.manifest.recipe import Disk, Filesystem, Mount, PlatformDisk, Zipl
from bootimg.manifest.stages import (
    DEPLOYMENT,
    IMAGE_FILE,
    check_mounts,
    take_mounts,
    take_tree,
    take_whole_disk,
)
from bootimg.manifest.taken import TakenStage, taking, unsupported


def read_platforms(
    pipelines: Sequence[Pipeline], mounts: Sequence[Mount], filesystems: Sequence[Filesystem], disk: Disk
) -> dict[str, PlatformDisk]:
    """Every platform by name; a pipeline that belongs to none is refused."""
    by_name = {pipeline.name: pipeline for pipeline in pipelines}
    found = {}
    for name, pipeline in by_name.items():
        if name.startswith("raw-") and name.endswith("-image"):
            platform = name.removeprefix("raw-").removesuffix("-image")
            artifact = by_name.get(platform)
            if artifact is None:
                raise unsupported(name, f"there is no pipeline {platform}")
            found[platform] = _read_platform(platform, pipeline, artifact, mounts, filesystems, disk)
    known = {each for platform in found for each in (platform, f"raw-{platform}-image")}
    if unknown := sorted(set(by_name) - known):
        raise unsupported("pipelines", ", ".join(unknown))
    return found


def _read_platform(
    name: str,
    raw: Pipeline,
    artifact: Pipeline,
    mounts: Sequence[Mount],
    filesystems: Sequence[Filesystem],
    disk: Disk,
) -> PlatformDisk:
    if raw.build != "name:deployed-tree" or raw.source_epoch is not None:
        raise unsupported(raw.name, f"build: {raw.build!r}, source-epoch: {raw.source_epoch!r}")
    outside_efi = [mount for mount in mounts if mount.target in ("/", "/boot")]
    order = [stage.type.removeprefix("org.osbuild.") for stage in raw.stages]
    size, platform_id, zipl = None, None, None
    for each in raw.stages:
        with taking(raw.name, each) as stage:
            match stage.type:
                case "copy":
                    take_tree(stage, "raw-image")
                    stage.options.expect(
                        "paths", [{"from": f"input://tree/{IMAGE_FILE}", "to": f"tree:///{IMAGE_FILE}"}]
                    )
                case "truncate":
                    stage.options.expect("filename", IMAGE_FILE)
                    size = int(stage.options.required("size"))
                case "coreos.platform":
                    platform_id = _platform_stage(stage, outside_efi, filesystems)
                case "zipl.inst":
                    zipl = _zipl_stage(stage, outside_efi, filesystems, disk)
                case _:
                    raise unsupported(stage.where, "the stage")
    if order[:1] != ["copy"] or len(set(order)) != len(order) or platform_id is None:
        raise unsupported(raw.name, f"stages {order}")
    filename, format, options = _read_artifact(name, artifact)
    return PlatformDisk(name, platform_id, size, zipl, filename, format, options)


def _platform_stage(stage: TakenStage, mounts: Sequence[Mount], filesystems: Sequence[Filesystem]) -> str:
    take_whole_disk(stage)
    mounted = take_mounts(stage, filesystems)
    check_mounts(stage, mounted, mounts)
    if not any(each.name == DEPLOYMENT for each in mounted):
        raise unsupported(stage.where, "no deployment is mounted")
    return str(stage.options.required("platform"))


def _zipl_stage(
    stage: TakenStage, mounts: Sequence[Mount], filesystems: Sequence[Filesystem], disk: Disk
) -> Zipl:
    take_whole_disk(stage)
    check_mounts(stage, take_mounts(stage, filesystems), mounts)
    options = stage.options
    zipl = Zipl(
        options.required("kernel"),
        tuple(options.take("kernel_opts_append", ())),
        options.required("location"),
    )
    if zipl.location not in [part.start for part in disk.partitions]:
        raise unsupported(stage.where, f"location: {zipl.location}")
    return zipl


def _read_artifact(name: str, pipeline: Pipeline) -> tuple[str, str, dict[str, str | bool]]:
    if pipeline.build or pipeline.source_epoch is not None or len(pipeline.stages) != 1:
        raise unsupported(name, "more than one stage, a build root or a source epoch")
    with taking(name, pipeline.stages[0]) as stage:
        if stage.type == "copy":
            take_tree(stage, f"raw-{name}-image")
            paths = stage.options.required("paths")
            target = paths[0].get("to", "") if len(paths) == 1 else ""
            if set(paths[0]) != {"from", "to"} or paths[0]["from"] != f"input://tree/{IMAGE_FILE}":
                raise unsupported(stage.where, f"paths: {paths}")
            if not target.startswith("tree:///"):
                raise unsupported(stage.where, f"paths: {paths}")
            return target.removeprefix("tree:///"), "raw", {}
        if stage.type != "qemu":
            raise unsupported(stage.where, "the stage")
        image = stage.inputs.nested("image")
        image.expect("type", "org.osbuild.files")
        image.expect("origin", "org.osbuild.pipeline")
        image.expect("references", {f"name:raw-{name}-image": {"file": IMAGE_FILE}})
        image.finish()
        options = dict(stage.options.required("format"))
        return stage.options.required("filename"), options.pop("type"), options
