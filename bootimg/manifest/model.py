"""A rendered osbuild manifest (version 2) as typed objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootimg.errors import BootimgError, ExitCode
from bootimg.untrusted.node import Node, StrictFields

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline, as osbuild's schema has it."""

    type: str
    options: Mapping[str, Any]
    devices: Mapping[str, Any]
    inputs: Mapping[str, Any]
    mounts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages that make one tree; `build` names the pipeline whose tree they run in, None is the host's."""

    name: str
    build: str | None
    source_epoch: int | None
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All pipelines, in order, and the sources that they take from outside."""

    pipelines: tuple[Pipeline, ...]
    sources: Mapping[str, Any]

    @classmethod
    def from_json(cls, document: Json) -> Manifest:
        """Read a rendered manifest; keys that version 2 does not have are refused."""
        fields = StrictFields(Node(document, malformed_manifest)).allow(("version", "pipelines", "sources"))
        fields.expect("version", "2")
        fields.needed("pipelines")
        pipelines = tuple(map(_pipeline, fields.objects("pipelines")))
        names = [pipeline.name for pipeline in pipelines]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise malformed_manifest(f"it has more than one pipeline {', '.join(twice)}")
        return cls(pipelines, fields.nested("sources").values)

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name."""
        for each in self.pipelines:
            if each.name == name:
                return each
        raise malformed_manifest(f"it has no pipeline {name}")


def _pipeline(fields: StrictFields) -> Pipeline:
    fields.allow(("name", "build", "source-epoch", "stages"))
    fields.needed("stages")
    return Pipeline(
        fields.required("name", str),
        fields.take("build", str),
        fields.take("source-epoch", int),
        tuple(map(_stage, fields.objects("stages"))),
    )


def _stage(fields: StrictFields) -> Stage:
    fields.allow(("type", "options", "devices", "inputs", "mounts"))
    options, devices, inputs = (fields.nested(key).values for key in ("options", "devices", "inputs"))
    return Stage(fields.required("type", str), options, devices, inputs, fields.each("mounts", dict))


def malformed_manifest(what: str, where: str | None = None) -> BootimgError:
    """The error for a manifest that is not what it should be; `where` is a file and a path in it."""
    return BootimgError(
        "manifest-malformed",
        f"the manifest cannot be used: {what}",
        context=[where] if where else (),
        exit_code=ExitCode.USAGE,
    )
