"""The Tasks and the Pipeline that bootimg ships, for Tekton."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

Json = dict[str, Any]
PACKAGE = "bootimg_pipelines"
PIPELINE = "bootimg"
VERSION_LABEL = "app.kubernetes.io/version"
"""The label of each object that says which bootimg ships it."""


def shipped_files() -> Iterator[Traversable]:
    """The YAML files, by name."""
    found = (each for each in files(PACKAGE).joinpath("tekton").iterdir() if each.name.endswith(".yaml"))
    return iter(sorted(found, key=lambda each: each.name))


def shipped_yaml() -> str:
    """All objects as one YAML stream."""
    return "---\n".join(each.read_text() for each in shipped_files())


def shipped_objects() -> list[Json]:
    """The objects, Tasks and the Pipeline."""
    return [*yaml.safe_load_all(shipped_yaml())]


def version_of(found: Mapping[str, Any]) -> str | None:
    """The version of bootimg that an object says it is of."""
    labels = (found.get("metadata") or {}).get("labels") or {}
    version = labels.get(VERSION_LABEL)
    return version if isinstance(version, str) else None
