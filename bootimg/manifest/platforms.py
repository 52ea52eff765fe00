"""Reading the two pipelines of each platform: its disk image, and the artifact."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.manifest.model import Pipeline
from bootimg.manifest.recipe import Disk, Filesystem, Mount, PlatformDisk, Zipl
from bootimg.manifest.stages import (
    IMAGE_FILE,
    check_mounts,
    take_mounts,
    take_size,
    take_tree,
    take_whole_disk,
)
from bootimg.manifest.taken import Taken, TakenStage, check_build, check_order, taking, unsupported

_ORDER = ("copy", "truncate", "coreos.platform", "zipl.inst")


def read_platforms(
    pipelines: Sequence[Pipeline], mounts: Sequence[Mount], filesystems: Sequence[Filesystem], disk: Disk
) -> dict[str, PlatformDisk]:
    """Every platform by name, from pairs of pipelines; one that belongs to none is refused."""
    found = {}
    for index in range(0, len(pipelines), 2):
        raw, *rest = pipelines[index : index + 2]
        artifact = rest[0] if rest else raw
        if raw.name != f"raw-{artifact.name}-image":
            raise unsupported("pipelines", f"{raw.name} followed by {artifact.name}")
        found[artifact.name] = _read_platform(artifact.name, raw, artifact, mounts, filesystems, disk)
    return found


def _read_platform(
    name: str,
    raw: Pipeline,
    artifact: Pipeline,
    mounts: Sequence[Mount],
    filesystems: Sequence[Filesystem],
    disk: Disk,
) -> PlatformDisk:
    check_build(raw, "name:deployed-tree")
    check_order(raw, _ORDER)
    outside_efi = [mount for mount in mounts if mount.target in ("/", "/boot")]
    copied, size, platform_id, zipl = False, None, None, None
    for each in raw.stages:
        with taking(raw.name, each) as stage:
            match stage.type:
                case "copy":
                    copied = True
                    take_tree(stage, "raw-image")
                    stage.options.expect(
                        "paths", [{"from": f"input://tree/{IMAGE_FILE}", "to": f"tree:///{IMAGE_FILE}"}]
                    )
                case "truncate":
                    size = take_size(stage)
                case "coreos.platform":
                    platform_id = _platform_stage(stage, outside_efi, filesystems)
                case "zipl.inst":
                    zipl = _zipl_stage(stage, outside_efi, filesystems, disk)
    if not copied or platform_id is None:
        raise unsupported(raw.name, "the disk is not copied, or has no platform")
    filename, format, options = _read_artifact(name, artifact)
    return PlatformDisk(name, platform_id, size, zipl, filename, format, options)


def _platform_stage(stage: TakenStage, mounts: Sequence[Mount], filesystems: Sequence[Filesystem]) -> str:
    take_whole_disk(stage)
    check_mounts(stage, take_mounts(stage, filesystems), mounts, deployment=True)
    return stage.options.required("platform", str)


def _zipl_stage(
    stage: TakenStage, mounts: Sequence[Mount], filesystems: Sequence[Filesystem], disk: Disk
) -> Zipl:
    take_whole_disk(stage)
    check_mounts(stage, take_mounts(stage, filesystems), mounts, deployment=False)
    options = stage.options
    zipl = Zipl(
        options.required("kernel", str),
        options.each("kernel_opts_append", str),
        options.required("location", int),
    )
    if zipl.location not in [part.start for part in disk.partitions]:
        raise unsupported(stage.where, f"location: {zipl.location}")
    return zipl


def _read_artifact(name: str, pipeline: Pipeline) -> tuple[str, str, dict[str, str | bool]]:
    check_build(pipeline, None)
    if len(pipeline.stages) != 1:
        raise unsupported(name, f"{len(pipeline.stages)} stages")
    with taking(name, pipeline.stages[0]) as stage:
        if stage.type == "copy":
            return _copied(stage, name), "raw", {}
        if stage.type != "qemu":
            raise unsupported(stage.where, "the stage")
        image = stage.inputs.nested("image")
        image.expect("type", "org.osbuild.files")
        image.expect("origin", "org.osbuild.pipeline")
        image.expect("references", {f"name:raw-{name}-image": {"file": IMAGE_FILE}})
        image.finish()
        filename, format = stage.options.required("filename", str), stage.options.nested("format")
        return filename, format.required("type", str), _format_options(format)


def _copied(stage: TakenStage, name: str) -> str:
    take_tree(stage, f"raw-{name}-image")
    paths = stage.options.objects("paths")
    if len(paths) != 1:
        raise unsupported(stage.where, f"{len(paths)} paths")
    paths[0].expect("from", f"input://tree/{IMAGE_FILE}")
    target = paths[0].required("to", str)
    paths[0].finish()
    if not target.startswith("tree:///"):
        raise unsupported(stage.where, f"to: {target}")
    return target.removeprefix("tree:///")


def _format_options(format: Taken) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {}
    for key in format:
        flag = format.take(key, bool) if format.holds(key, bool) else None
        found[key] = format.required(key, str) if flag is None else flag
    return found
