"""Compares a cluster's Tasks and Pipeline with those that bootimg ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bootimg.pipelines.shipped import version_of

Json = dict[str, Any]
_SHOWN = 20
_DEFAULTS = {"type": "string", "kind": "Task"}
"""What Tekton fills in where an object does not say it (docs/pipelines.md of Tekton: parameters, taskRef)."""


class ObjectState(StrEnum):
    """What a cluster has of an object."""

    SAME = "same"
    MISSING = "missing"
    VERSION = "other-version"
    """It is of another bootimg, by its label."""
    DIFFERENT = "different"
    """It is of this bootimg, by its label, and says something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An object, and the paths at which the cluster's differs."""

    kind: str
    name: str
    state: ObjectState
    version: str | None = None
    differences: tuple[str, ...] = ()

    def as_dict(self) -> Json:
        """The comparison as `--json` prints it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "state": self.state.value,
            "version": self.version,
            "differences": list(self.differences),
        }


def compare(shipped: Sequence[Json], there: Sequence[Json]) -> list[Compared]:
    """What the cluster's objects `there` are, for each shipped one; others in the cluster do not count."""
    known = {_identity(each): each for each in there}
    return [_compared(each, known.get(_identity(each))) for each in shipped]


def _identity(found: Json) -> tuple[object, object]:
    return found.get("kind"), (found.get("metadata") or {}).get("name")


def _compared(ours: Json, theirs: Json | None) -> Compared:
    kind, name = map(str, _identity(ours))
    if theirs is None:
        return Compared(kind=kind, name=name, state=ObjectState.MISSING)
    version = version_of(theirs)
    found = tuple(_differences(_plain(ours.get("spec")), _plain(theirs.get("spec")), "spec"))[:_SHOWN]
    if version != version_of(ours):
        state = ObjectState.VERSION
    else:
        state = ObjectState.DIFFERENT if found else ObjectState.SAME
    return Compared(kind=kind, name=name, state=state, version=version, differences=found)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """The value without what is empty, and without what Tekton fills in."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _plain(each) for key, each in value.items()}
    return {key: each for key, each in found.items() if not _filled_in(key, each)}


def _filled_in(key: str, value: object) -> bool:
    # `default: ""` of a parameter says that it need not be given.
    empty = value is None or value == {} or value == [] or (value == "" and key != "default")
    return empty or _DEFAULTS.get(key) == value


def _differences(ours: Any, theirs: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in dict.fromkeys([*ours, *theirs]):
            yield from _differences(ours.get(key), theirs.get(key), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(*pair, f"{path}[{number}]")
    elif ours != theirs:
        yield path
