"""Between JSON and dataclasses, by the rules of Go's struct tags.

A field's key is its name with dashes, or its metadata's `key`.  A field without a default is always
written, an empty text, mapping, tuple or None of one with a default never is (`omitempty`).  One whose
metadata are `ALWAYS` is written unless it is None.  null is as good as nothing.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from bootimg.streams.metadata.gojson import malformed_stream
from bootimg.untrusted.node import Node

T = TypeVar("T")
ALWAYS = {"omitempty": False}
NULL: Mapping[str, Any] = types.MappingProxyType({})
"""An empty mapping that is null in JSON, as Go writes a map that nobody made."""


@dataclasses.dataclass
class Reader:
    """Reads trees of the file `name`; `unknown` gathers the paths of keys that no field is for.

    What does not fit is `stream-malformed`, with the path.
    """

    name: str
    unknown: list[str] = dataclasses.field(default_factory=list)

    def read(self, kind: type[T], tree: object, path: str = "") -> T:
        """A dataclass of the tree."""
        return self._object(kind, self._node(tree, path))

    def value(self, kind: Any, tree: object, path: str) -> Any:  # noqa: ANN401
        """A value of one of the kinds that fields have."""
        return self._value(kind, self._node(tree, path))

    def error(self, path: str, why: str) -> Exception:
        """What is wrong at a path."""
        return self._node(None, path).error(why)

    def _node(self, tree: object, path: str) -> Node:
        return Node(tree, partial(malformed_stream, self.name), path)

    def _object(self, kind: type[T], node: Node) -> T:
        known, fields = _fields(kind), node.fields()
        values = {}
        for key, (name, expected, required, _) in known.items():
            if required and get_origin(expected) in _NOTHING and fields.is_absent(key):
                values[name] = _NOTHING[get_origin(expected)]
            elif required or not fields.is_absent(key):
                values[name] = self._value(expected, fields.needed(key))
        self.unknown += [node.at(key, None).path for key in fields if key not in known]
        return kind(**values)

    def _value(self, kind: Any, node: Node) -> Any:  # noqa: ANN401
        if kind in (str, int, bool):
            return node.of(kind)
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            return self._object(kind, node)
        (*_, inner) = get_args(kind)
        if get_origin(kind) is Mapping:
            return {key: self._value(inner, each) for key, each in node.members().items()}
        return tuple(self._value(inner, each) for each in node.items())


def tree_of(value: Any) -> Any:  # noqa: ANN401
    """The JSON tree of a dataclass; mappings come sorted, as Go writes maps."""
    if value is NULL:
        return None
    if isinstance(value, Mapping):
        return {key: tree_of(value[key]) for key in sorted(value)}
    if isinstance(value, tuple):
        return [tree_of(each) for each in value]
    if not dataclasses.is_dataclass(value):
        return value
    found = {}
    for key, (name, _, required, always) in _fields(type(value)).items():
        each = getattr(value, name)
        if required or (always and each is not None) or not _empty(each):
            found[key] = tree_of(each)
    return found


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, (Mapping, str, tuple)) and not value)


def _fields(kind: type) -> Mapping[str, tuple[str, Any, bool, bool]]:
    """By key: the field's name, what it holds, whether it is needed, whether it is written though empty."""
    if kind in _KNOWN:
        return _KNOWN[kind]
    hints = get_type_hints(kind)
    found = {}
    for each in dataclasses.fields(kind):
        needed = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        key = each.metadata.get("key", each.name.replace("_", "-"))
        found[key] = (each.name, _bare(hints[each.name]), needed, not each.metadata.get("omitempty", True))
    return _KNOWN.setdefault(kind, found)


def _bare(hint: Any) -> Any:  # noqa: ANN401
    """The kind without `| None`."""
    if get_origin(hint) is types.UnionType:
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    if not (isinstance(hint, type) or get_origin(hint) in (Mapping, Sequence)):
        raise TypeError(f"no JSON is known for {hint}")
    return hint


_KNOWN: dict[type, Mapping[str, tuple[str, Any, bool, bool]]] = {}
# What a field without a default has where its key is absent.
_NOTHING: Mapping[Any, Any] = {Mapping: NULL, Sequence: ()}
