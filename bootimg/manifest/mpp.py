"""The mpp dialect of osbuild manifests: variables, conditions, formats, images, imports, embedded files.

A node with a directive becomes what the directive gives: `mpp-if` with `then` and `else` (a missing
branch drops the node), `mpp-format-int`, `-string` and `-json` (text with `{expression}`).  Expressions
are evaluated by simpleeval, which has no way to the outside.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from simpleeval import EvalWithCompoundTypes, InvalidExpression

from bootimg.errors import BootimgError, ExitCode
from bootimg.manifest.images import Layout, define_image
from bootimg.manifest.model import Json, malformed

_DROP = object()
_EXPRESSION = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


class Renderer:
    """Renders manifests of one folder with the same variables (`-D` of osbuild-mpp).

    `digests` gives the sha256 (hexadecimal) of files whose URL is embedded, where it is known already.
    """

    def __init__(
        self, folder: Traversable, variables: Mapping[str, Any], digests: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._given = dict(variables)
        self._digests = dict(digests or {})

    def render(self, name: str, *, pipelines: str | None = None) -> Json:
        """The manifest of a file, without any directive left.

        With `pipelines` its own are replaced by those of that file, which know its variables and images.
        """
        scope = _Scope(name, dict(self._given))
        document = self._load(name)
        for key, value in self._vars(scope, document.pop("mpp-vars", {})).items():
            scope.names.setdefault(key, value)
        for definition in document.pop("mpp-define-images", []):
            resolved = self._node(scope, self._substituted(scope, definition))
            scope.names[resolved["id"]] = define_image(resolved)
        if pipelines is not None:
            document["pipelines"] = [{"mpp-import-pipelines": {"path": pipelines}}]
        rendered = self._node(scope, {**document, "pipelines": self._imported(scope, document["pipelines"])})
        if scope.sources:
            rendered["sources"] = scope.sources
        return dict(rendered)

    def _load(self, name: str) -> Json:
        try:
            document = yaml.safe_load(self._folder.joinpath(name).read_text())
        except (OSError, yaml.YAMLError) as error:
            raise malformed(f"{name} cannot be read: {error}") from None
        if not isinstance(document, dict) or not isinstance(document.get("pipelines"), list):
            raise malformed(f"{name} has no pipelines")
        return document

    def _vars(self, scope: _Scope, variables: Mapping[str, Any]) -> Json:
        found: Json = {}
        for key, value in variables.items():
            inner = _Scope(scope.file, {**found, **scope.names})
            found[key] = self._node(inner, self._substituted(inner, value))
        return found

    def _substituted(self, scope: _Scope, node: Any) -> Any:  # noqa: ANN401
        """The node with `$variable` in its strings replaced."""
        if isinstance(node, str):
            return Template(node).safe_substitute({k: str(v) for k, v in scope.names.items()})
        if isinstance(node, list):
            return [self._substituted(scope, each) for each in node]
        if isinstance(node, dict):
            return {key: self._substituted(scope, each) for key, each in node.items()}
        return node

    def _imported(self, scope: _Scope, pipelines: list[Any]) -> list[Any]:
        found: list[Any] = []
        for pipeline in pipelines:
            order = pipeline.get("mpp-import-pipelines")
            if order is None:
                found.append(pipeline)
                continue
            order = self._node(scope, self._substituted(scope, order))
            document = self._load(order["path"])
            inner = self._imported(scope, document["pipelines"])
            wanted = order.get("ids")
            found += [each for each in inner if wanted is None or each.get("name") in wanted]
        return found

    def _node(self, scope: _Scope, node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, list):
            return [each for each in (self._node(scope, item) for item in node) if each is not _DROP]
        if not isinstance(node, dict):
            return node
        if "mpp-if" in node:
            branch = "then" if scope.evaluate(node["mpp-if"]) else "else"
            return self._node(scope, node[branch]) if branch in node else _DROP
        for directive, convert in _FORMATS.items():
            if directive in node:
                return convert(scope, node[directive])
        found: Json = {}
        for key, value in node.items():
            if key == "mpp-embed":
                found["references"] = self._embed(scope, value)
            elif key == "mpp-resolve-images":
                found["references"] = self._resolve_images(scope, value)
            elif key.startswith("mpp-"):
                raise malformed(f"{scope.file} has the unknown directive {key}")
            elif (rendered := self._node(scope, value)) is not _DROP:
                found[key] = rendered
        return found

    def _embed(self, scope: _Scope, order: Mapping[str, Any]) -> list[str]:
        resolved = self._node(scope, self._substituted(scope, order))
        url = resolved["url"]
        digest = self._digests.get(url) or _digest(url)
        checksum = f"sha256:{digest}"
        scope.names.setdefault("embedded", {})[resolved["id"]] = checksum
        scope.sources.setdefault("org.osbuild.curl", {"items": {}})["items"][checksum] = {"url": url}
        return [checksum]

    def _resolve_images(self, scope: _Scope, order: Mapping[str, Any]) -> Json:
        """Images are resolved by whoever renders: their `digest` and `image-id` are given."""
        references: Json = {}
        for image in self._node(scope, self._substituted(scope, order))["images"]:
            source = {"name": image["source"], "digest": image["digest"]}
            items = scope.sources.setdefault("org.osbuild.skopeo", {"items": {}})["items"]
            items[image["image-id"]] = {"image": source}
            references[image["image-id"]] = {"name": image["name"]}
        return references


class _Scope:
    """What the expressions of one rendering know, and the sources it has collected."""

    def __init__(self, file: str, names: Json) -> None:
        self.file = file
        self.names = names
        self.sources: Json = {}

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401
        try:
            return EvalWithCompoundTypes(names=self.names, functions={}).eval(expression)
        except (InvalidExpression, SyntaxError, LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise BootimgError(
                "manifest-expression-failed",
                "an expression of the manifest cannot be evaluated",
                context=[f"{self.file}: {expression}", str(error)],
                exit_code=ExitCode.USAGE,
            ) from None

    def format(self, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0][0]
            return _text(self.evaluate(match[1].strip()))

        return _EXPRESSION.sub(value, text)


def _text(value: Any) -> str:  # noqa: ANN401
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _format_int(scope: _Scope, text: str) -> int:
    formatted = scope.format(text)
    try:
        return int(formatted)
    except ValueError:
        raise malformed(f"{scope.file}: {text} is {formatted}, not a whole number") from None


def _format_json(scope: _Scope, text: str) -> Any:  # noqa: ANN401
    match = _EXPRESSION.fullmatch(text.strip())
    if match is None or match[1] is None:
        raise malformed(f"{scope.file}: mpp-format-json takes one expression, not {text}")
    value = scope.evaluate(match[1].strip())
    return value.as_options() if isinstance(value, Layout) else value


_FORMATS: Mapping[str, Callable[[_Scope, str], Any]] = {
    "mpp-format-int": _format_int,
    "mpp-format-string": lambda scope, text: scope.format(text),
    "mpp-format-json": _format_json,
}


def _digest(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise malformed(f"{url} cannot be embedded: only file:// URLs can")
    try:
        with Path(unquote(parts.path)).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise malformed(f"{url} cannot be embedded: {error.strerror}") from None
