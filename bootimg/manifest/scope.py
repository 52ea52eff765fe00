"""The variables of a manifest's expressions, and the place of an expression for error messages.

simpleeval evaluates the expressions; they cannot call functions or read files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from string import Template
from typing import Any

from simpleeval import EvalWithCompoundTypes, InvalidExpression

from bootimg.errors import BootimgError, ExitCode
from bootimg.manifest.model import Json

_PIECES = re.compile(r"(?P<literal>[^{}]+)|(?P<brace>\{\{|\}\})|\{(?P<expression>[^{}]+)\}|(?P<stray>[{}])")
_FAILURES = (
    InvalidExpression, SyntaxError, LookupError, TypeError, ValueError, ArithmeticError,
    AttributeError, RecursionError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """A place in a file of one rendering.  All scopes of a rendering share `names` and `sources`."""

    file: str
    names: Json
    sources: Json = field(default_factory=dict)
    path: str = ""

    @property
    def where(self) -> str:
        """The file, and the path of the node in it."""
        return f"{self.file}: {self.path}" if self.path else self.file

    def at(self, key: str | int) -> Scope:
        """The scope of a member of this node."""
        step = f"[{key}]" if isinstance(key, int) else f".{key}" if self.path else str(key)
        return replace(self, path=self.path + step)

    def of_file(self, file: str) -> Scope:
        """The scope of an imported file."""
        return replace(self, file=file, path="")

    def source_items(self, source: str) -> Json:
        """The items to fetch from a source, by checksum."""
        items: Json = self.sources.setdefault(source, {"items": {}})["items"]
        return items

    def substituted(self, node: Any) -> Any:  # noqa: ANN401
        """The node with `$variable` replaced in its strings; unknown variables stay."""
        if isinstance(node, str):
            return Template(node).safe_substitute(self.names)
        if isinstance(node, list):
            return [self.substituted(each) for each in node]
        if isinstance(node, dict):
            return {key: self.substituted(each) for key, each in node.items()}
        return node

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401
        """The value of an expression; raises `manifest-expression-failed`."""
        try:
            return EvalWithCompoundTypes(names=self.names, functions={}).eval(str(expression).strip())
        except _FAILURES as error:
            raise self._failed(str(expression), str(error)) from None

    def format(self, text: str) -> str:
        """The text with every `{expression}` replaced by its value; `{{` and `}}` are braces."""
        found = []
        for piece in _PIECES.finditer(str(text)):
            if piece["stray"]:
                raise self._failed(str(text), f"a single {piece[0]}")
            if piece["expression"]:
                found.append(str(self.evaluate(piece["expression"])))
            else:
                found.append(piece["literal"] or piece["brace"][0])
        return "".join(found)

    def _failed(self, expression: str, why: str) -> BootimgError:
        return BootimgError(
            "manifest-expression-failed",
            "an expression of the manifest cannot be evaluated",
            context=[self.where, expression, why],
            exit_code=ExitCode.USAGE,
        )
