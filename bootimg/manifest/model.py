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
        pipelines = tuple(_pipeline(each) for each in _member(document, "pipelines", list, "the manifest"))
        names = [pipeline.name for pipeline in pipelines]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise malformed(f"it has more than one pipeline {', '.join(twice)}")
        return cls(pipelines, _member(document, "sources", dict, "the manifest", {}))

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name."""
        for each in self.pipelines:
            if each.name == name:
                return each
        raise malformed(f"it has no pipeline {name}")


def _pipeline(document: Json) -> Pipeline:
    _only(document, {"name", "build", "source-epoch", "stages"}, "a pipeline")
    name = _member(document, "name", str, "a pipeline")
    where = f"pipeline {name}"
    return Pipeline(
        name,
        _member(document, "build", str, where, None),
        _member(document, "source-epoch", int, where, None),
        tuple(_stage(each, name) for each in _member(document, "stages", list, where)),
    )


def _stage(document: Json, pipeline: str) -> Stage:
    where = f"a stage of {pipeline}"
    _only(document, {"type", "options", "devices", "inputs", "mounts"}, where)
    return Stage(
        _member(document, "type", str, where),
        _member(document, "options", dict, where, {}),
        _member(document, "devices", dict, where, {}),
        _member(document, "inputs", dict, where, {}),
        _member(document, "mounts", list, where, []),
    )


_REQUIRED = object()


def _member(document: Json, key: str, kind: type, where: str, default: object = _REQUIRED) -> Any:  # noqa: ANN401
    """The value of a key, of exactly that type; the default stands for a key that is absent."""
    if key not in document and default is not _REQUIRED:
        return default
    value = document.get(key)
    if type(value) is not kind:
        raise malformed(f"{key} of {where} is {value!r}")
    return value


def _only(document: object, known: set[str], where: str) -> None:
    if not isinstance(document, dict):
        raise malformed(f"{where} is {document!r}")
    if unknown := sorted(set(document) - known):
        raise malformed(f"{where} has keys that osbuild does not know: {', '.join(unknown)}")


def malformed(what: str, where: str | None = None) -> BootimgError:
    """The error for a manifest that is not what it should be; `where` is a file and a path in it."""
    return BootimgError(
        "manifest-malformed",
        f"the manifest cannot be used: {what}",
        context=[where] if where else (),
        exit_code=ExitCode.USAGE,
    )
