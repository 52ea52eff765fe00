"""Reading the pipelines before the disk: the layer, and the sysroot that it is deployed to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bootimg.manifest.model import Manifest, Pipeline
from bootimg.manifest.recipe import (
    Aleph,
    Attribute,
    ContainerSource,
    Deploy,
    Directory,
    Ignition,
    Labels,
    Sysroot,
)
from bootimg.manifest.stages import DEPLOYMENT, take_default_deployment, take_labels, take_mounts
from bootimg.manifest.strict import Taken, TakenStage, Value, check_build, check_order, taking, unsupported

ARCHIVE_PIPELINE = "oci-archive"
_ARCHIVE = "coreos.ociarchive"
_ORDER = (
    *("selinux", "ostree.init-fs", "ostree.os-init", "ostree.config", "mkdir", "ignition"),
    *("ostree.deploy.container", "chattr", "ostree.config", "ostree.aleph", "ostree.selinux"),
)
# osbuild's sources for an archive, and for an image that osbuild itself fetches.
_CURL, _SKOPEO = "org.osbuild.curl", "org.osbuild.skopeo"


def has_archive(manifest: Manifest) -> bool:
    """Whether the layer is an archive, for which the manifest has a separate pipeline."""
    return any(pipeline.name == ARCHIVE_PIPELINE for pipeline in manifest.pipelines)


def read_source(manifest: Manifest) -> ContainerSource:
    """Where the layer comes from; the pipelines that unpack it must use the same source."""
    source = None
    if has_archive(manifest):
        source = _read_archive(manifest)
    pipeline = manifest.pipeline("deployed-tree")
    with _only_stage(pipeline, "container-deploy") as stage:
        return take_image(stage, manifest, source)


@contextmanager
def _only_stage(pipeline: Pipeline, kind: str) -> Iterator[TakenStage]:
    check_build(pipeline, None)
    if [stage.type for stage in pipeline.stages] != [f"org.osbuild.{kind}"]:
        raise unsupported(pipeline.name, f"other stages than one {kind}")
    with taking(pipeline.name, pipeline.stages[0]) as stage:
        yield stage


def _read_archive(manifest: Manifest) -> ContainerSource:
    with _only_stage(manifest.pipeline(ARCHIVE_PIPELINE), "copy") as stage:
        file = stage.inputs.nested("file")
        file.expect("type", "org.osbuild.files")
        file.expect("origin", "org.osbuild.source")
        references = file.required("references", dict)
        file.finish()
        if list(references.values()) != [{}]:
            raise unsupported(stage.where, f"references: {references}")
        (digest,) = references
        expected = [{"from": f"input://file/{digest}", "to": f"tree:///{_ARCHIVE}"}]
        stage.options.expect("paths", expected)
    return ContainerSource(digest, _source_item(manifest, _CURL, digest, str))


def _source_item(manifest: Manifest, kind: str, key: str, item_type: type[Value]) -> Value:
    """The only item of the manifest's only source."""
    sources = Taken.of("sources", manifest.sources)
    source = sources.nested(kind)
    items = source.nested("items")
    item = items.required(key, item_type)
    for part in (sources, source, items):
        part.finish()
    return item


def take_image(stage: TakenStage, manifest: Manifest, archive: ContainerSource | None) -> ContainerSource:
    """The input `images`: the archive's image, or one that osbuild fetches."""
    images = stage.inputs.nested("images")
    images.expect("type", "org.osbuild.containers")
    references = images.required("references", dict)
    images.expect("origin", "org.osbuild.pipeline" if archive else "org.osbuild.source")
    images.finish()
    if archive:
        if references != {"name:oci-archive": {"name": _ARCHIVE}}:
            raise unsupported(stage.where, f"references: {references}")
        return archive
    if len(references) != 1:
        raise unsupported(stage.where, f"references: {references}")
    ((identity, reference),) = references.items()
    item = Taken.of("sources", _source_item(manifest, _SKOPEO, identity, dict))
    image = item.nested("image")
    name, digest = image.required("name", str), image.required("digest", str)
    for part in (image, item):
        part.finish()
    if reference != {"name": name}:
        raise unsupported(stage.where, f"references: {references}")
    return ContainerSource(digest, name)


@dataclass
class _Reading:
    manifest: Manifest
    source: ContainerSource
    values: dict[str, Any] = field(default_factory=dict)
    repo_config: dict[str, str] = field(default_factory=dict)
    repo_config_after: dict[str, str] = field(default_factory=dict)
    directories: list[Directory] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)

    @property
    def archive(self) -> ContainerSource | None:
        return self.source if has_archive(self.manifest) else None

    def once(self, stage: TakenStage, key: str, value: object) -> None:
        if key in self.values:
            raise unsupported(stage.where, "a second stage of this type")
        self.values[key] = value


def read_sysroot(manifest: Manifest, source: ContainerSource) -> Sysroot:
    """The pipeline `tree`."""
    pipeline = manifest.pipeline("tree")
    if pipeline.build != "name:deployed-tree":
        raise unsupported("tree", f"build: {pipeline.build!r}")
    check_order(pipeline, _ORDER)
    reading = _Reading(manifest, source)
    for each in pipeline.stages:
        with taking("tree", each) as stage:
            _STAGES[stage.type](stage, reading)
    values = reading.values
    for key in ("init-fs", "osname", "ignition", "deploy", "aleph"):
        if key not in values:
            raise unsupported("tree", f"it has no {key} stage")
    if values["osname"] != values["deploy-osname"]:
        raise unsupported("tree", f"os-init of {values['osname']}, deployment of {values['deploy-osname']}")
    labels: Labels | None = values.get("labels")
    return Sysroot(
        pipeline.source_epoch,
        labels,
        values["osname"],
        reading.repo_config,
        tuple(reading.directories),
        values["ignition"],
        values["deploy"],
        tuple(reading.attributes),
        reading.repo_config_after,
        values["aleph"],
        "label-deployment" in values,
    )


def _selinux(stage: TakenStage, reading: _Reading) -> None:
    stage.options.expect("target", "tree:///")
    reading.once(stage, "labels", take_labels(stage, (), "/"))


def _init_fs(stage: TakenStage, reading: _Reading) -> None:
    reading.once(stage, "init-fs", True)


def _os_init(stage: TakenStage, reading: _Reading) -> None:
    reading.once(stage, "osname", stage.options.required("osname", str))


def _config(stage: TakenStage, reading: _Reading) -> None:
    stage.options.expect("repo", "/ostree/repo")
    groups = stage.options.nested("config")
    sysroot = groups.nested("sysroot")
    target = reading.repo_config_after if "deploy" in reading.values else reading.repo_config
    for key in ("readonly", "bootprefix"):
        if key in sysroot:
            target[f"sysroot.{key}"] = str(sysroot.required(key, bool)).lower()
    for key in ("bootloader", "bls-append-except-default"):
        if key in sysroot:
            target[f"sysroot.{key}"] = sysroot.required(key, str)
    sysroot.finish()
    groups.finish()


def take_directories(stage: TakenStage, located: Callable[[str], tuple[int | None, str]]) -> list[Directory]:
    """The mkdir stage's paths; `located` returns the partition of a URL and the path on it."""
    found = []
    for each in stage.options.objects("paths"):
        partition, path = located(each.required("path", str))
        mode = each.take("mode", int)
        parents, exist_ok = each.take("parents", bool) or False, each.take("exist_ok", bool) or False
        each.finish()
        found.append(Directory(partition, path, 0o777 if mode is None else mode, parents, exist_ok))
    return found


def _mkdir(stage: TakenStage, reading: _Reading) -> None:
    reading.directories += take_directories(stage, lambda path: (None, path))


def _ignition(stage: TakenStage, reading: _Reading) -> None:
    target = stage.options.take("target", str) or "tree:///boot"
    if not target.startswith("tree:///"):
        raise unsupported(stage.where, f"target: {target}")
    network = stage.options.arguments("network")
    reading.once(stage, "ignition", Ignition(target.removeprefix("tree://"), network))


def _deploy(stage: TakenStage, reading: _Reading) -> None:
    take_image(stage, reading.manifest, reading.archive)
    options = stage.options
    deploy = Deploy(
        options.required("target_imgref", str),
        options.arguments("kernel_opts"),
        options.each("mounts", str),
    )
    reading.once(stage, "deploy-osname", options.required("osname", str))
    reading.once(stage, "deploy", deploy)


def take_attributes(stage: TakenStage, prefix: str) -> list[Attribute]:
    """The chattr stage's items, each a path below `prefix`."""
    found = []
    items = stage.options.nested("items")
    for path in items:
        if not path.startswith(prefix):
            raise unsupported(stage.where, path)
        item = items.nested(path)
        found.append(Attribute("/" + path.removeprefix(prefix), item.required("immutable", bool)))
        item.finish()
    return found


def _chattr(stage: TakenStage, reading: _Reading) -> None:
    if [each.name for each in take_mounts(stage, ())] != [DEPLOYMENT]:
        raise unsupported(stage.where, "other mounts than the deployment")
    reading.attributes += take_attributes(stage, "tree:///")


def _aleph(stage: TakenStage, reading: _Reading) -> None:
    reading.once(stage, "aleph", Aleph(stage.options.take("coreos_compat", bool) or False))
    take_default_deployment(stage.options)


def _label_deployment(stage: TakenStage, reading: _Reading) -> None:
    reading.once(stage, "label-deployment", True)
    take_default_deployment(stage.options)


_STAGES: Mapping[str, Callable[[TakenStage, _Reading], None]] = {
    "selinux": _selinux,
    "ostree.init-fs": _init_fs,
    "ostree.os-init": _os_init,
    "ostree.config": _config,
    "mkdir": _mkdir,
    "ignition": _ignition,
    "ostree.deploy.container": _deploy,
    "chattr": _chattr,
    "ostree.aleph": _aleph,
    "ostree.selinux": _label_deployment,
}
