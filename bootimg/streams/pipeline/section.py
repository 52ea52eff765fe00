"""Typed reading of a tree: an object that knows its file and its path, for errors that name both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bootimg.streams.pipeline.malformed import malformed_config
from bootimg.untrusted.node import Fields, Node
from bootimg.untrusted.yamlfile import parse_yaml

_VARIABLE = re.compile(r"\$\{([A-Z]+)\}")


@dataclass(frozen=True, slots=True)
class Section:
    """An object at `path` of the file `file`; what is not there is as good as null.

    A value of another kind than is asked for is `streams-file-malformed`.
    """

    file: str
    path: str
    tree: Mapping[str, Any]

    @property
    def fields(self) -> Fields:
        """The keys of the object."""
        return Fields(Node(dict(self.tree), partial(malformed_config, self.file), self.path))

    def section(self, key: str) -> Section:
        """The object under a key; an empty one if there is none."""
        return self._of(self.fields.nested(key))

    def sections(self, key: str) -> Iterator[Section]:
        """The objects of the list under a key; one that stands there alone counts as a list."""
        found = self.fields.at(key)
        alone = [found] if found.value else []
        for each in found.items() if isinstance(found.value, list) else alone:
            yield self._of(each.fields())

    def text(self, key: str) -> str | None:
        """The text under a key; None for an empty one too, as the pipeline's programs have it."""
        return self.fields.take(key, str) or None

    def word(self, key: str) -> str | None:
        """The text under a key; an unquoted off or on, which is a flag to YAML, is that word."""
        found = self.tree.get(key)
        return ("on" if found else "off") if isinstance(found, bool) else self.text(key)

    def needed(self, key: str) -> str:
        """The text under a key, which must be there."""
        if (found := self.text(key)) is None:
            raise self.error(key, "is missing")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under a key; an empty value of another kind counts as no list."""
        return self.fields.each(key, str) if self.tree.get(key) else ()

    def flag(self, key: str) -> bool:
        """The flag under a key, False without one."""
        return bool(self.fields.take(key, bool))

    def only(self, *keys: str) -> Section:
        """The section, which has no other keys than these."""
        self.fields.allow(keys)
        return self

    def at(self, key: str) -> str:
        """The path of a key."""
        return self.fields.at(key).path

    def error(self, key: str, why: str) -> Exception:
        """What is wrong with the value under a key."""
        return self.fields.at(key).error(why)

    def _of(self, fields: Fields) -> Section:
        return Section(self.file, fields.node.path, fields.values)


def parse_config(data: bytes, name: str) -> Section:
    """The whole object of a streams file; `streams-file-malformed`, with `name` in the words.

    Two of the 279 versions of the upstream file have a key twice.
    """
    return Section(name, "", parse_yaml(data, partial(malformed_config, name), repeats=True).values)


def substitute(text: str, **values: str) -> str:
    """The text with `${NAME}` replaced for each value; other variables stay, for whoever knows them."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def substitute_all(value: Any, **values: str) -> Any:  # noqa: ANN401
    """The same for every text of a tree; lists become tuples."""
    if isinstance(value, dict):
        return {key: substitute_all(each, **values) for key, each in value.items()}
    if isinstance(value, list):
        return tuple(substitute_all(each, **values) for each in value)
    return substitute(value, **values) if isinstance(value, str) else value
