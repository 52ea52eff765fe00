"""The recipe is the whole manifest: its values, and that nothing can change without being noticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.manifest.model import Json, Manifest
from bootimg.manifest.reader import read_recipe
from bootimg.manifest.recipe import Recipe
from tests.unit.manifests import fetched_by_osbuild, rendered

Path = tuple[str | int, ...]
REFUSED = {"manifest-stage-unsupported", "manifest-malformed"}
MANIFESTS: dict[str, Callable[[], Json]] = {
    "x86_64": rendered,
    "s390x": lambda: rendered(Arch.S390X),
    "ppc64le": lambda: rendered(Arch.PPC64LE),
    "fetched": fetched_by_osbuild,
}


def recipe_of(document: Json) -> Recipe:
    return read_recipe(Manifest.from_json(document))


def mutations(value: object) -> list[object]:
    """Values of the same type and of others, each of which means something else."""
    match value:
        case bool():
            return [not value, "other", None, int(value)]
        case int():
            return [value + 1, str(value), -value - 1, float(value), None]
        case str() if value.startswith("org.osbuild."):
            return [value.removeprefix("org.osbuild."), "org.osbuild.noop", f"{value}x", "", 7, None]
        case _:
            return [f"{value}x", f"x{value}", "", 7, None, [value]]


def changes(document: Json) -> Iterator[tuple[str, Json]]:
    """Every mutation of a manifest: of each leaf, each list, each object, each stage and pipeline."""
    for path, value in nodes(document, ()):
        name = "/".join(str(step) for step in path)
        if isinstance(value, dict):
            yield f"{name}: unknown key", changed(document, path, {**value, "x-unknown": True})
            for key in value:
                yield (
                    f"{name}: without {key}",
                    changed(document, path, {k: v for k, v in value.items() if k != key}),
                )
        elif isinstance(value, list):
            yield f"{name}: emptied", changed(document, path, [])
            yield f"{name}: appended", changed(document, path, [*value, "x-unknown"])
            yield f"{name}: no list", changed(document, path, "x-unknown")
            for index in range(len(value)):
                yield f"{name}: without {index}", changed(document, path, value[:index] + value[index + 1 :])
                yield f"{name}: twice {index}", changed(document, path, [*value[: index + 1], *value[index:]])
            for index in range(1, len(value)):
                swapped = [*value[: index - 1], value[index], value[index - 1], *value[index + 1 :]]
                yield f"{name}: swapped {index}", changed(document, path, swapped)
        else:
            for other in mutations(value):
                yield f"{name}: {other!r}", changed(document, path, other)


def nodes(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    yield path, value
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in children:
        yield from nodes(child, (*path, step))


def changed(document: Json, path: Path, value: object) -> Json:
    if not path:
        assert isinstance(value, dict)
        return value
    found = copy.deepcopy(document)
    parent: Any = found
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return found


@pytest.mark.parametrize("name", MANIFESTS)
def test_no_change_of_the_manifest_goes_unnoticed(name: str) -> None:
    document = MANIFESTS[name]()
    original = repr(recipe_of(document))
    unnoticed = [what for what, other in changes(document) if accepted(other) == original]
    assert not unnoticed


def accepted(document: Json) -> str | None:
    """The recipe as text (1 is not True there), or None where the manifest is refused."""
    try:
        return repr(recipe_of(document))
    except BootimgError as error:
        assert error.id in REFUSED, json.dumps(document)
        return None
