"""Every change of a manifest, and those that the reader of recipes does not notice."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.manifest.model import Json, Manifest
from bootimg.manifest.reader import read_recipes
from tests.support.layers.manifests import by_bootc, fetched_by_osbuild, packed, rendered

Path = tuple[str | int, ...]
REFUSED = {"manifest-stage-unsupported", "manifest-malformed", "kernel-argument-invalid"}
MANIFESTS: dict[str, Callable[[], Json]] = {
    "x86_64": rendered,
    "s390x": lambda: rendered(Arch.S390X),
    "ppc64le": lambda: rendered(Arch.PPC64LE),
    "fetched": fetched_by_osbuild,
    "packed": packed,
    "bootc": by_bootc,
    "bootc-s390x": lambda: by_bootc(Arch.S390X),
}


def unnoticed(document: Json, chosen: slice) -> list[str]:
    """The changes, of those that are chosen, that leave the manifest accepted with the same recipe."""
    original = _accepted(document)
    assert original is not None
    some = islice(changes(document), chosen.start, chosen.stop, chosen.step)
    return [what for what, other in some if _accepted(other) == original]


def _accepted(document: Json) -> str | None:
    """The recipe as text (1 is not True there), or None if the manifest is refused."""
    try:
        return repr(read_recipes(Manifest.from_json(document)))
    except BootimgError as error:
        assert error.id in REFUSED, json.dumps(document)
        return None


def _mutations(value: object) -> list[object]:
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
    for path, value in _nodes(document, ()):
        name = "/".join(str(step) for step in path)
        if isinstance(value, dict):
            yield f"{name}: unknown key", _changed(document, path, {**value, "x-unknown": True})
            for key in value:
                yield (
                    f"{name}: without {key}",
                    _changed(document, path, {k: v for k, v in value.items() if k != key}),
                )
        elif isinstance(value, list):
            yield f"{name}: emptied", _changed(document, path, [])
            yield f"{name}: appended", _changed(document, path, [*value, "x-unknown"])
            yield f"{name}: no list", _changed(document, path, "x-unknown")
            for index in range(len(value)):
                yield f"{name}: without {index}", _changed(document, path, value[:index] + value[index + 1 :])
                yield (
                    f"{name}: twice {index}",
                    _changed(document, path, [*value[: index + 1], *value[index:]]),
                )
            for index in range(1, len(value)):
                swapped = [*value[: index - 1], value[index], value[index - 1], *value[index + 1 :]]
                yield f"{name}: swapped {index}", _changed(document, path, swapped)
        else:
            for other in _mutations(value):
                yield f"{name}: {other!r}", _changed(document, path, other)


def _nodes(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    yield path, value
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in children:
        yield from _nodes(child, (*path, step))


def _changed(document: Any, path: Path, value: object) -> Any:  # noqa: ANN401
    """A copy with another value at the path; what lies beside the path is shared."""
    if not path:
        return value
    found = copy.copy(document)
    found[path[0]] = _changed(document[path[0]], path[1:], value)
    return found
