"""A configuration file in YAML as a tree of objects, lists, texts, flags and nulls.

Of plain words only null and the flags of YAML 1.1 are told from text: `4.20` and `013116697141` stay what
is written, where YAML's own rules make 4.2 and an octal number of them.  Keys are always text.  Anchors,
aliases and merge keys (`<<`) work as everywhere, within a bound on what they grow to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.sizes import MIB
from bootimg.streams.metadata.gojson import clean

LIMIT = MIB // 4
"""Bytes; the pipeline's largest known file has 12 KiB."""
_NODES = 50_000
_CANNOT = " cannot be used: "
_STANDARD = "tag:yaml.org,2002:"
_MERGE, _NULL, _BOOL = f"{_STANDARD}merge", f"{_STANDARD}null", f"{_STANDARD}bool"
_TAGS = {_MERGE, _NULL, _BOOL} | {
    f"{_STANDARD}{kind}" for kind in ("map", "seq", "str", "int", "float", "timestamp", "value")
}
_FLAGS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
# What scanning is known to raise beside YAMLError: escapes beyond Unicode, absurd version directives.
_FAULTS = (yaml.YAMLError, ValueError, OverflowError)
Tree = dict[str, Any]


def parse_yaml(data: bytes, name: str) -> Tree:
    """The object in a file's bytes; `streams-file-malformed`, with `name` in the words, if there is none."""
    if len(data) > LIMIT:
        raise malformed(name, f"it has more than {LIMIT} bytes")
    try:
        node = yaml.compose(data, yaml.SafeLoader)
        tree = _Builder(name).value(node) if node is not None else None
    except RecursionError:
        raise malformed(name, "it is nested too deeply") from None
    except _FAULTS as error:
        raise malformed(name, f"it is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise malformed(name, "it is not an object")
    return tree


def malformed(name: str, why: str) -> BootimgError:
    """The error for a streams file that is not what it should be."""
    return BootimgError(
        "streams-file-malformed",
        f"{printable(name)}{_CANNOT}{printable(why)[:400]}",
        hint="name the pipeline's config.yaml with --streams; docs/streams.md says what is read of it",
        exit_code=ExitCode.USAGE,
    )


def as_warning(error: BootimgError, name: str) -> str:
    """The same fault of the file `name` for people who need not mend it: no command uses that part."""
    return f"{printable(name)}: {error.message.removeprefix(f'{printable(name)}{_CANNOT}')}; it is not used"


@dataclass
class _Builder:
    """Makes values of nodes; an alias costs as much as what it stands for."""

    name: str
    visited: int = 0

    def value(self, node: yaml.Node) -> Any:  # noqa: ANN401
        self.visited += 1
        if self.visited > _NODES:
            raise malformed(self.name, f"it has more than {_NODES} values, aliases counted in full")
        if node.tag not in _TAGS:
            raise self.error(node, f"has the tag {node.tag}")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each) for each in node.value]
        return self.scalar(node)

    def scalar(self, node: yaml.Node) -> str | bool | None:
        if node.tag == _NULL:
            return None
        if node.tag != _BOOL:
            return clean(node.value)
        if (flag := _FLAGS.get(node.value.lower())) is None:
            raise self.error(node, f"is no flag: {node.value!r:.80}")
        return flag

    def mapping(self, node: yaml.MappingNode) -> Tree:
        merged: Tree = {}
        for each in self.merges(node):
            # The first of several that are merged wins, and what the object says itself wins over all.
            merged = self.value(each) | merged
        return merged | dict(self.members(node))

    def merges(self, node: yaml.MappingNode) -> Iterator[yaml.MappingNode]:
        for value in (value for key, value in node.value if key.tag == _MERGE):
            for each in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(each, yaml.MappingNode):
                    raise self.error(each, "is merged and is no object")
                yield each

    def members(self, node: yaml.MappingNode) -> Iterator[tuple[str, Any]]:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key, "is a key and no text")
            if key.tag != _MERGE:
                yield clean(key.value), self.value(value)

    def error(self, node: yaml.Node, why: str) -> BootimgError:
        return malformed(self.name, f"what begins in line {node.start_mark.line + 1} {why}")
