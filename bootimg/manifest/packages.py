"""Reading the pipelines of an artifact that is a disk in a package: a tar or a container image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from bootimg.manifest.model import Pipeline
from bootimg.manifest.recipe import Package
from bootimg.manifest.stages import IMAGE_FILE, take_tree
from bootimg.manifest.strict import Taken, TakenStage, check_build, taking, unsupported
from bootimg.platform import Packaging

_TAR = "disk.tar"
_RAW = "disk.raw"


@dataclass(frozen=True, slots=True)
class DiskFile:
    """An artifact: its file's name, the disk's format with its options, and the package of the disk."""

    name: str
    format: str
    options: Mapping[str, str | bool] = field(default_factory=dict)
    package: Package | None = None


def is_packed(pipelines: Sequence[Pipeline]) -> bool:
    """Whether the next two pipelines make one artifact."""
    return len(pipelines) > 1 and pipelines[0].name == f"{pipelines[1].name}-disk"


def take_converted(stage: TakenStage, platform: str) -> DiskFile:
    """The qemu stage that converts a platform's disk."""
    image = stage.inputs.nested("image")
    image.expect("type", "org.osbuild.files")
    image.expect("origin", "org.osbuild.pipeline")
    image.expect("references", {f"name:raw-{platform}-image": {"file": IMAGE_FILE}})
    image.finish()
    name, format = stage.options.required("filename", str), stage.options.nested("format")
    return DiskFile(name, format.required("type", str), _format_options(format))


def _format_options(format: Taken) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {}
    for key in format:
        flag = format.take(key, bool) if format.holds(key, bool) else None
        found[key] = format.required(key, str) if flag is None else flag
    return found


def read_packed(name: str, pipelines: Sequence[Pipeline]) -> DiskFile:
    """The artifact of two pipelines: the first makes the disk, the second packs it."""
    inner, outer = pipelines
    for pipeline in pipelines:
        check_build(pipeline, None)
    kinds = [stage.type.removeprefix("org.osbuild.") for stage in (*inner.stages, *outer.stages)]
    match kinds:
        case ["tar", "gzip"]:
            return _tar(name, inner, outer)
        case ["mkdir", "qemu", "oci-archive"]:
            return _container(name, inner, outer)
    raise unsupported(name, f"the stages {', '.join(kinds)}")


def _stage(pipeline: Pipeline, index: int) -> AbstractContextManager[TakenStage]:
    return taking(pipeline.name, pipeline.stages[index])


def _tar(name: str, inner: Pipeline, outer: Pipeline) -> DiskFile:
    with _stage(inner, 0) as stage:
        take_tree(stage, f"raw-{name}-image")
        stage.options.expect("filename", _TAR)
        stage.options.expect("format", "oldgnu")
        stage.options.expect("root-node", "omit")
        for key in ("acls", "selinux", "xattrs"):
            stage.options.expect(key, False)
        stage.options.expect("sparse", True)
        stage.options.expect("transform", f"s/{IMAGE_FILE}/{_RAW}/")
    with _stage(outer, 0) as stage:
        file = stage.inputs.nested("file")
        file.expect("type", "org.osbuild.files")
        file.expect("origin", "org.osbuild.pipeline")
        file.expect("references", {f"name:{name}-disk": {"file": _TAR}})
        file.finish()
        package = Package(Packaging.TAR_GZ, _RAW, level=stage.options.required("level", int))
        return DiskFile(stage.options.required("filename", str), "raw", package=package)


def _container(name: str, inner: Pipeline, outer: Pipeline) -> DiskFile:
    with _stage(inner, 0) as stage:
        path = stage.options.only("paths")
        path.expect("path", "tree:///disk")
        path.expect("mode", 0o755)
        path.finish()
    with _stage(inner, 1) as stage:
        disk = take_converted(stage, name)
    if not disk.name.startswith("disk/"):
        raise unsupported(stage.where, f"filename: {disk.name}")
    with _stage(outer, 0) as stage:
        base = stage.inputs.nested("base")
        base.expect("type", "org.osbuild.tree")
        base.expect("origin", "org.osbuild.pipeline")
        base.expect("references", [f"name:{name}-disk"])
        base.finish()
        config = stage.options.nested("config")
        labels = config.nested("Labels")
        package = Package(
            Packaging.OCIARCHIVE,
            disk.name,
            architecture=stage.options.required("architecture", str),
            labels={key: labels.required(key, str) for key in labels},
        )
        for part in (config, labels):
            part.finish()
        return DiskFile(stage.options.required("filename", str), disk.format, disk.options, package)
