"""YAML as a tree of objects, lists, texts, flags, nulls and, where they are asked for, whole numbers.

Other plain words stay the text that is written, where YAML itself makes a date or 4.2 of `4.20`.  Keys are
always text.  Anchors, aliases and merge keys (`<<`) work, within a bound on what
they grow to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import yaml
from yaml.constructor import SafeConstructor

from bootimg.sizes import MIB
from bootimg.untrusted.node import Fields, Node
from bootimg.untrusted.tree import Malformed, Refuse, clean, clean_tree, refusing, require_size, unique

LIMIT = MIB // 4
"""Bytes; the largest known file has 12 KiB."""
_NODES = 50_000
_STANDARD = "tag:yaml.org,2002:"
_MERGE, _NULL, _BOOL, _INT = (f"{_STANDARD}{kind}" for kind in ("merge", "null", "bool", "int"))
_TAGS = {_MERGE, _NULL, _BOOL, _INT} | {
    f"{_STANDARD}{kind}" for kind in ("map", "seq", "str", "float", "timestamp", "value")
}
_FLAGS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def parse_yaml(
    data: bytes, refuse: Refuse = Malformed, *, numbers: bool = False, repeats: bool = False
) -> Fields:
    """The object in a file's bytes; the error is `refuse`'s.

    Without `numbers` these stay text, so that a version such as `4.20` or an account such as `013116697141`
    keeps its digits.  With `repeats` the last value of a key that stands twice counts, as Jenkins has it.
    """
    require_size(data, LIMIT, refuse)
    # PyYAML raises OverflowError for escapes beyond Unicode, and LookupError for an empty number.
    with refusing("YAML", refuse, yaml.YAMLError, OverflowError, LookupError):
        node = yaml.compose(data, yaml.SafeLoader)
        tree = None if node is None else _Builder(numbers=numbers, repeats=repeats).value(node)
        return Node(clean_tree(tree), refuse).fields()


@dataclass
class _Builder:
    """Makes values of nodes; an alias costs as much as what it stands for."""

    numbers: bool
    repeats: bool
    visited: int = 0

    def value(self, node: yaml.Node) -> Any:  # noqa: ANN401
        self.visited += 1
        if self.visited > _NODES:
            raise Malformed(f"it has more than {_NODES} values, aliases counted in full")
        if node.tag not in _TAGS:
            raise _malformed(node, f"has the tag {node.tag:.80}")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each) for each in node.value]
        return self.scalar(node)

    def scalar(self, node: yaml.Node) -> str | bool | int | None:
        if node.tag == _NULL:
            return None
        if node.tag == _INT and self.numbers:
            return int(SafeConstructor().construct_yaml_int(cast("yaml.ScalarNode", node)))
        if node.tag != _BOOL:
            return clean(node.value)
        if (flag := _FLAGS.get(node.value.lower())) is None:
            raise _malformed(node, f"is not a flag: {node.value!r:.80}")
        return flag

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for each in self.merges(node):
            # The first of several that are merged wins, and the object's own keys win over all.
            merged = self.value(each) | merged
        members = self.members(node)
        return merged | (dict(members) if self.repeats else unique(members))

    def merges(self, node: yaml.MappingNode) -> Iterator[yaml.MappingNode]:
        for value in (value for key, value in node.value if key.tag == _MERGE):
            for each in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(each, yaml.MappingNode):
                    raise _malformed(each, "is merged and is not an object")
                yield each

    def members(self, node: yaml.MappingNode) -> Iterator[tuple[str, Any]]:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _malformed(key, "is a key and not a text")
            if key.tag != _MERGE:
                yield clean(key.value), self.value(value)


def _malformed(node: yaml.Node, why: str) -> Malformed:
    return Malformed(f"what begins in line {node.start_mark.line + 1} {why}")
