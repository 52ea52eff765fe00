"""Reading the pipelines that come before the disk: the layer, and the sysroot it is deployed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.manifest.model import Manifest
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
from bootimg.manifest.taken import TakenStage, taking, unsupported

_ARCHIVE = "coreos.ociarchive"


def read_source(manifest: Manifest) -> ContainerSource:
    """Where the layer comes from; the pipelines that unpack it must take it from there."""
    source = None
    if any(pipeline.name == "oci-archive" for pipeline in manifest.pipelines):
        source = _read_archive(manifest)
    pipeline = manifest.pipeline("deployed-tree")
    if pipeline.build or pipeline.source_epoch is not None or len(pipeline.stages) != 1:
        raise unsupported("deployed-tree", "more than one stage, a build root or a source epoch")
    with taking(pipeline.name, pipeline.stages[0]) as stage:
        if stage.type != "container-deploy":
            raise unsupported(stage.where, "the stage")
        return take_image(stage, manifest, source)


def _read_archive(manifest: Manifest) -> ContainerSource:
    pipeline = manifest.pipeline("oci-archive")
    if pipeline.build or pipeline.source_epoch is not None or len(pipeline.stages) != 1:
        raise unsupported("oci-archive", "more than one stage, a build root or a source epoch")
    with taking(pipeline.name, pipeline.stages[0]) as stage:
        if stage.type != "copy":
            raise unsupported(stage.where, "the stage")
        file = stage.inputs.nested("file")
        file.expect("type", "org.osbuild.files")
        file.expect("origin", "org.osbuild.source")
        references = file.required("references")
        file.finish()
        digest = references[0]
        wanted = [{"from": f"input://file/{digest}", "to": f"tree:///{_ARCHIVE}"}]
        stage.options.expect("paths", wanted)
    items = manifest.sources.get("org.osbuild.curl", {}).get("items", {})
    if len(references) != 1 or set(items) != {digest} or set(items[digest]) != {"url"}:
        raise unsupported("sources", f"{sorted(items)} for {references}")
    return ContainerSource(digest, items[digest]["url"])


def take_image(stage: TakenStage, manifest: Manifest, archive: ContainerSource | None) -> ContainerSource:
    """The input `images`: the archive's image, or one that osbuild fetches."""
    images = stage.inputs.nested("images")
    images.expect("type", "org.osbuild.containers")
    references = images.required("references")
    images.expect("origin", "org.osbuild.pipeline" if archive else "org.osbuild.source")
    images.finish()
    if archive:
        if references != {"name:oci-archive": {"name": _ARCHIVE}}:
            raise unsupported(stage.where, f"references: {references}")
        return archive
    items = manifest.sources.get("org.osbuild.skopeo", {}).get("items", {})
    if len(references) != 1 or set(items) != set(references):
        raise unsupported("sources", f"{sorted(items)} for {sorted(references)}")
    identity = next(iter(references))
    image = items[identity]["image"]
    if references[identity] != {"name": image["name"]} or set(image) != {"name", "digest"}:
        raise unsupported(stage.where, f"references: {references}")
    return ContainerSource(image["digest"], image["name"])


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
        return self.source if self.source.reference.startswith("file://") else None

    def once(self, stage: TakenStage, key: str, value: object) -> None:
        if key in self.values:
            raise unsupported(stage.where, "a second stage of this type")
        self.values[key] = value


def read_sysroot(manifest: Manifest, source: ContainerSource) -> Sysroot:
    """The pipeline `tree`."""
    pipeline = manifest.pipeline("tree")
    if pipeline.build != "name:deployed-tree":
        raise unsupported("tree", f"build: {pipeline.build!r}")
    reading = _Reading(manifest, source)
    for each in pipeline.stages:
        with taking("tree", each) as stage:
            if stage.type not in _STAGES:
                raise unsupported(stage.where, "the stage")
            _STAGES[stage.type](stage, reading)
    values = reading.values
    for key in ("init-fs", "osname", "ignition", "deploy", "aleph"):
        if key not in values:
            raise unsupported("tree", f"there is no {key} stage")
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
    reading.once(stage, "osname", stage.options.required("osname"))


def _config(stage: TakenStage, reading: _Reading) -> None:
    stage.options.expect("repo", "/ostree/repo")
    groups = stage.options.nested("config")
    sysroot = groups.nested("sysroot")
    target = reading.repo_config_after if "deploy" in reading.values else reading.repo_config
    for key in ("readonly", "bootloader", "bootprefix", "bls-append-except-default"):
        value = sysroot.take(key)
        if value is not None:
            target[f"sysroot.{key}"] = str(value).lower() if isinstance(value, bool) else str(value)
    sysroot.finish()
    groups.finish()


def take_directories(stage: TakenStage, located: Callable[[str], tuple[int | None, str]]) -> list[Directory]:
    """The mkdir stage's paths; `located` tells the partition and the path on it."""
    found = []
    for each in stage.options.required("paths"):
        partition, path = located(each["path"])
        if unknown := sorted(set(each) - {"path", "mode", "parents", "exist_ok"}):
            raise unsupported(stage.where, f"{unknown} of {path}")
        found.append(
            Directory(
                partition,
                path,
                each.get("mode", 0o777),
                each.get("parents", False),
                each.get("exist_ok", False),
            )
        )
    return found


def _mkdir(stage: TakenStage, reading: _Reading) -> None:
    reading.directories += take_directories(stage, lambda path: (None, path))


def _ignition(stage: TakenStage, reading: _Reading) -> None:
    target = stage.options.take("target", "tree:///boot")
    if not target.startswith("tree:///"):
        raise unsupported(stage.where, f"target: {target}")
    network = tuple(stage.options.take("network", ()))
    reading.once(stage, "ignition", Ignition(target.removeprefix("tree://"), network))


def _deploy(stage: TakenStage, reading: _Reading) -> None:
    take_image(stage, reading.manifest, reading.archive)
    options = stage.options
    deploy = Deploy(
        options.required("target_imgref"),
        tuple(options.take("kernel_opts", ())),
        tuple(options.take("mounts", ())),
    )
    reading.once(stage, "deploy-osname", options.required("osname"))
    reading.once(stage, "deploy", deploy)


def take_attributes(stage: TakenStage, prefix: str) -> list[Attribute]:
    """The chattr stage's items, each a path below `prefix`."""
    found = []
    items: Mapping[str, Mapping[str, Any]] = stage.options.required("items")
    for path, item in items.items():
        if not path.startswith(prefix) or set(item) != {"immutable"}:
            raise unsupported(stage.where, f"{path}: {item}")
        found.append(Attribute("/" + path.removeprefix(prefix), bool(item["immutable"])))
    return found


def _chattr(stage: TakenStage, reading: _Reading) -> None:
    if [each.name for each in take_mounts(stage, ())] != [DEPLOYMENT]:
        raise unsupported(stage.where, "other mounts than the deployment")
    reading.attributes += take_attributes(stage, "tree:///")


def _aleph(stage: TakenStage, reading: _Reading) -> None:
    reading.once(stage, "aleph", Aleph(bool(stage.options.take("coreos_compat", False))))
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
