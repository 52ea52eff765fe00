"""A rendered osbuild manifest (version 2) as typed objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootimg.errors import BootimgError, ExitCode

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
        _only(document, {"version", "pipelines", "sources"}, "the manifest")
        if document.get("version") != "2":
            raise malformed("it is not an osbuild manifest of version 2")
        return cls(tuple(_pipeline(each) for each in document["pipelines"]), document.get("sources", {}))

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name."""
        for each in self.pipelines:
            if each.name == name:
                return each
        raise malformed(f"it has no pipeline {name}")


def _pipeline(document: Json) -> Pipeline:
    name = str(document.get("name", ""))
    _only(document, {"name", "build", "source-epoch", "stages"}, f"pipeline {name}")
    stages = tuple(_stage(each, name) for each in document["stages"])
    return Pipeline(name, document.get("build"), document.get("source-epoch"), stages)


def _stage(document: Json, pipeline: str) -> Stage:
    _only(document, {"type", "options", "devices", "inputs", "mounts"}, f"a stage of {pipeline}")
    return Stage(
        str(document["type"]),
        document.get("options", {}),
        document.get("devices", {}),
        document.get("inputs", {}),
        document.get("mounts", ()),
    )


def _only(document: Json, known: set[str], where: str) -> None:
    if unknown := sorted(set(document) - known):
        raise malformed(f"{where} has keys that osbuild does not know: {', '.join(unknown)}")


def malformed(what: str) -> BootimgError:
    """The error for a manifest that is not what it should be."""
    return BootimgError(
        "manifest-malformed", f"the manifest cannot be used: {what}", exit_code=ExitCode.USAGE
    )
