"""Typed reading of a tree: an object that knows its file and its path, for errors that name both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bootimg.errors import BootimgError
from bootimg.streams.pipeline.yamltree import malformed

_VARIABLE = re.compile(r"\$\{([A-Z]+)\}")


@dataclass(frozen=True, slots=True)
class Section:
    """An object at `path` of the file `file`; what is not there is as good as null.

    A value of another kind than is asked for is `streams-file-malformed`.
    """

    file: str
    path: str
    tree: Mapping[str, Any]

    def section(self, key: str) -> Section:
        """The object under a key; an empty one if there is none."""
        found = self.tree.get(key)
        if not isinstance(found, dict | None):
            raise self.error(key, "is not an object")
        return Section(self.file, self.at(key), found or {})

    def sections(self, key: str) -> Iterator[Section]:
        """The objects of the list under a key; one that stands there alone counts as a list."""
        found = self.tree.get(key)
        for index, each in enumerate(found if isinstance(found, list) else [found] if found else []):
            if not isinstance(each, dict):
                raise self.error(f"{key}.{index}", "is not an object")
            yield Section(self.file, self.at(f"{key}.{index}"), each)

    def text(self, key: str) -> str | None:
        """The text under a key; None for an empty one too, as the pipeline's programs have it."""
        found = self.tree.get(key)
        if not isinstance(found, str | None):
            raise self.error(key, "is not a text")
        return found or None

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
        """The list of texts under a key."""
        found = self.tree.get(key) or []
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self.error(key, "is not a list of texts")
        return tuple(found)

    def flag(self, key: str) -> bool:
        """The flag under a key, False without one."""
        found = self.tree.get(key)
        if not isinstance(found, bool | None):
            raise self.error(key, "is neither true nor false")
        return bool(found)

    def only(self, *keys: str) -> Section:
        """The section, which has no other keys than these."""
        for key in self.tree:
            if key not in keys:
                raise self.error(key, f"is unknown; what may stand there is {', '.join(keys)}")
        return self

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def error(self, key: str, why: str) -> BootimgError:
        """What is wrong with the value under a key."""
        return malformed(self.file, f"{self.at(key)} {why}")


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
