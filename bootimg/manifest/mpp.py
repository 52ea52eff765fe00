"""The mpp dialect of osbuild manifests: variables, conditions, formats, images, imports, embedded files.

The value of a directive replaces its node.  Directives are `mpp-if` with `then` and `else` (a missing
branch drops the node), `mpp-eval`, and `mpp-format-int`, `-string` and `-json` (text with
`{expression}`).  As in osbuild-mpp, `$variable` is replaced only in directives with several fields:
variables, images, imports and embedded files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from bootimg.manifest.images import define_image
from bootimg.manifest.model import Json, malformed_manifest
from bootimg.manifest.scope import Scope

_DROP = object()
_IMAGES = "mpp-define-images"
_TOP = {"version", "mpp-vars", _IMAGES, "pipelines"}


class Renderer:
    """Renders manifests of one folder with the same variables (`-D` of osbuild-mpp).

    `digests` gives the sha256 (hexadecimal) of files that are embedded by URL, if it is already known.
    Raises `manifest-malformed` and `manifest-expression-failed`.
    """

    def __init__(
        self, folder: Traversable, variables: Mapping[str, Any], digests: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._variables = dict(variables)
        self._digests = dict(digests or {})

    def render(self, name: str, *, pipelines: str | None = None) -> Json:
        """The manifest of a file, with all directives resolved.

        `pipelines` names a file whose pipelines replace the manifest's own; they can use its variables and
        images.
        """
        scope = Scope(name, dict(self._variables))
        document = self._enter(scope)
        for index, order in enumerate(document.get(_IMAGES, [])):
            image = self._order(scope.at(_IMAGES).at(index), order, {"id", "size", "table"})
            scope.names[image["id"]] = define_image(image)
        if pipelines is not None:
            document["pipelines"] = [{"mpp-import-pipelines": {"path": pipelines}}]
        rendered: Json = {"version": document["version"], "pipelines": self._pipelines(scope, document)}
        return rendered | ({"sources": scope.sources} if scope.sources else {})

    def _enter(self, scope: Scope) -> Json:
        """The document of the scope's file.  Its variables are defined, but given values take precedence."""
        document = _load(self._folder, scope.file)
        for key, value in document.get("mpp-vars", {}).items():
            if key not in self._variables:
                where = scope.at("mpp-vars").at(key)
                scope.names[key] = self._node(where, where.substituted(value))
        return document

    def _pipelines(self, scope: Scope, document: Json) -> list[Any]:
        found: list[Any] = []
        for index, pipeline in enumerate(document["pipelines"]):
            inner = scope.at("pipelines").at(index)
            if isinstance(pipeline, dict) and "mpp-import-pipelines" in pipeline:
                found += self._import(inner, pipeline["mpp-import-pipelines"])
            elif (rendered := self._node(inner, pipeline)) is not _DROP:
                found.append(rendered)
        return found

    def _import(self, scope: Scope, order: Any) -> list[Any]:  # noqa: ANN401
        """The pipelines of another file, all or those named by `ids`."""
        resolved = self._order(scope, order, {"path"})
        imported = scope.of_file(resolved["path"])
        document = self._enter(imported)
        if _IMAGES in document:
            raise malformed_manifest(
                f"{_IMAGES} may be only in the file that is rendered, not in one it imports", imported.where
            )
        pipelines = self._pipelines(imported, document)
        wanted = resolved.get("ids")
        return [each for each in pipelines if wanted is None or each.get("name") in wanted]

    def _order(self, scope: Scope, order: Any, required: set[str]) -> Json:  # noqa: ANN401
        """The fields of a directive that has several."""
        resolved = self._node(scope, scope.substituted(order))
        missing = sorted(required - set(resolved)) if isinstance(resolved, dict) else sorted(required)
        if missing:
            raise malformed_manifest(f"{', '.join(missing)} is missing", scope.where)
        return dict(resolved)

    def _node(self, scope: Scope, node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, list):
            items = (self._node(scope.at(index), item) for index, item in enumerate(node))
            return [each for each in items if each is not _DROP]
        if not isinstance(node, dict):
            return node
        for directive, resolve in _VALUES.items():
            if directive in node:
                _alone(scope, node, directive)
                return resolve(self, scope, node)
        found: Json = {}
        for key, value in node.items():
            if key == "mpp-embed":
                found["references"] = self._embed(scope.at(key), value)
            elif key == "mpp-resolve-images":
                found["references"] = self._resolve_images(scope.at(key), value)
            elif str(key).startswith("mpp-"):
                raise malformed_manifest(f"{key} is not a directive that may be here", scope.where)
            elif (rendered := self._node(scope.at(key), value)) is not _DROP:
                found[key] = rendered
        return found

    def _if(self, scope: Scope, node: Json) -> Any:  # noqa: ANN401
        branch = "then" if scope.evaluate(node["mpp-if"]) else "else"
        return self._node(scope.at(branch), node[branch]) if branch in node else _DROP

    def _format_int(self, scope: Scope, node: Json) -> int:
        text = scope.format(node["mpp-format-int"]).removesuffix(".0")
        try:
            return int(text)
        except ValueError:
            raise malformed_manifest(f"{text} is not a whole number", scope.where) from None

    def _format_json(self, scope: Scope, node: Json) -> Any:  # noqa: ANN401
        text = scope.format(node["mpp-format-json"])
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise malformed_manifest(f"{text} is not JSON: {error}", scope.where) from None

    def _embed(self, scope: Scope, order: Any) -> Json:  # noqa: ANN401
        """A file by its URL, which osbuild fetches; its checksum is `embedded[id]` in expressions."""
        resolved = self._order(scope, order, {"id", "url"})
        url = str(resolved["url"])
        checksum = f"sha256:{self._digests.get(url) or _digest(scope, url)}"
        scope.names.setdefault("embedded", {})[resolved["id"]] = checksum
        scope.source_items("org.osbuild.curl")[checksum] = url
        return {checksum: {}}

    def _resolve_images(self, scope: Scope, order: Any) -> Json:  # noqa: ANN401
        """References to images; the caller of the renderer gives their `digest` and `image-id`."""
        references: Json = {}
        for index, each in enumerate(self._order(scope, order, {"images"})["images"]):
            image = self._order(scope.at("images").at(index), each, {"source", "name", "digest", "image-id"})
            fetched = {"name": image["source"], "digest": image["digest"]}
            scope.source_items("org.osbuild.skopeo")[image["image-id"]] = {"image": fetched}
            references[image["image-id"]] = {"name": image["name"]}
        return references


_VALUES = {
    "mpp-if": Renderer._if,
    "mpp-eval": lambda renderer, scope, node: scope.evaluate(node["mpp-eval"]),
    "mpp-format-int": Renderer._format_int,
    "mpp-format-string": lambda renderer, scope, node: scope.format(node["mpp-format-string"]),
    "mpp-format-json": Renderer._format_json,
}


def _alone(scope: Scope, node: Json, directive: str) -> None:
    """Refuse other keys beside a directive, because it replaces its whole node."""
    others = set(node) - {directive} - ({"then", "else"} if directive == "mpp-if" else set())
    if others:
        raise malformed_manifest(f"{', '.join(sorted(others))} beside {directive}", scope.where)


def _load(folder: Traversable, name: str) -> Json:
    try:
        document = yaml.load(folder.joinpath(name).read_text(), _Loader)
    except (OSError, yaml.YAMLError) as error:
        raise malformed_manifest(f"it cannot be read: {error}", name) from None
    if not isinstance(document, dict) or not isinstance(document.get("pipelines"), list):
        raise malformed_manifest("it has no pipelines", name)
    if unknown := sorted(set(document) - _TOP):
        raise malformed_manifest(f"{', '.join(unknown)} is not understood", name)
    if document.get("version") != "2":
        raise malformed_manifest("it is not of version '2'", name)
    return document


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which a duplicate key is an error; YAML itself keeps the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a duplicate key", node.start_mark)
        return mapping


def _digest(scope: Scope, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise malformed_manifest(f"{url} cannot be embedded: only file:// URLs can", scope.where)
    try:
        with Path(unquote(parts.path)).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise malformed_manifest(f"{url} cannot be embedded: {error.strerror}", scope.where) from None
