"""Untrusted values, read into types; every error names the path of the value in its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from bootimg.printable import shown
from bootimg.untrusted.tree import Malformed, Refuse

Value = TypeVar("Value")
_NAMES = {str: "a text", int: "a whole number", bool: "true or false", dict: "an object", list: "a list"}
MOST = (1 << 63) - 1
"""The largest number that every program of this field takes."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its path; `refuse` makes the error of its file."""

    value: Any
    refuse: Refuse = Malformed
    path: str = ""

    def of(self, kind: type[Value]) -> Value:
        """The value, of exactly that type."""
        # A bool is an int to Python, but not to a file.
        if type(self.value) is not kind:
            raise self.error(f"is not {_NAMES[kind]} but {shown(self.value)}")
        return self.value

    def number(self, least: int = 0, most: int = MOST) -> int:
        """A whole number in that range."""
        found = self.of(int)
        if not least <= found <= most:
            raise self.error(f"is {shown(found)}, not a number from {least} to {most}")
        return found

    def one_of(self, *allowed: object) -> Any:  # noqa: ANN401
        """The value, which has to be one of these."""
        # True equals 1 to Python, but not to a file.
        if not any(self.value == each and type(self.value) is type(each) for each in allowed):
            raise self.error(f"is {shown(self.value)}, not {' or '.join(map(shown, allowed))}")
        return self.value

    def items(self) -> list[Node]:
        """The items of a list."""
        found = self.of(list)
        return [Node(each, self.refuse, f"{self.path}[{index}]") for index, each in enumerate(found)]

    def each(self, kind: type[Value]) -> tuple[Value, ...]:
        """The items of a list, all of that type."""
        return tuple(each.of(kind) for each in self.items())

    def members(self) -> dict[str, Node]:
        """The members of an object whose keys are names."""
        return {key: self.at(key, each) for key, each in self.of(dict).items()}

    def fields(self) -> Fields:
        """The object whose keys are known."""
        return Fields(self)

    def at(self, key: str, value: object) -> Node:
        """The value that stands here under a key."""
        return Node(value, self.refuse, f"{self.path}.{key}" if self.path else key)

    def error(self, why: str) -> Exception:
        """The error that says what is wrong with this value."""
        return self.refuse(f"{self.path[:200] or 'it'} {why}")


class Fields:
    """An object whose keys are read one by one.  null is the same as an absent key.

    `finish` refuses each key that was not read.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.values: dict[str, Any] = node.of(dict)
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def __iter__(self) -> Iterator[str]:
        """The keys that were not read yet."""
        return iter([key for key in self.values if key not in self._read])

    def is_absent(self, key: str) -> bool:
        """Whether the object says nothing under a key."""
        return self.values.get(key) is None

    def at(self, key: str) -> Node:
        """The value under a key; None for an absent one."""
        self._read.add(key)
        return self.node.at(key, self.values.get(key))

    def needed(self, key: str) -> Node:
        """The value under a key that has to be there."""
        if self.is_absent(key):
            raise self.at(key).error("is missing")
        return self.at(key)

    def required(self, key: str, kind: type[Value]) -> Value:
        """The value under a key that has to be there, of exactly that type."""
        return self.needed(key).of(kind)

    def take(self, key: str, kind: type[Value]) -> Value | None:
        """The value under a key, of exactly that type; None for an absent one."""
        found = self.at(key)
        return None if self.is_absent(key) else found.of(kind)

    def number(self, key: str, least: int = 0, most: int = MOST) -> int | None:
        """The whole number in that range under a key; None for an absent one."""
        found = self.at(key)
        return None if self.is_absent(key) else found.number(least, most)

    def each(self, key: str, kind: type[Value]) -> tuple[Value, ...]:
        """The items of the list under a key, all of that type; none for an absent one."""
        found = self.at(key)
        return () if self.is_absent(key) else found.each(kind)

    def members(self, key: str) -> dict[str, Node]:
        """The members of the object under a key; none for an absent one."""
        found = self.at(key)
        return {} if self.is_absent(key) else found.members()

    def nested(self, key: str) -> Self:
        """The object under a key; an empty one for an absent key."""
        found = self.at(key)
        return type(self)(self.node.at(key, {}) if self.is_absent(key) else found)

    def objects(self, key: str) -> list[Self]:
        """The objects of the list under a key; none for an absent one."""
        found = self.at(key)
        return [] if self.is_absent(key) else [type(self)(each) for each in found.items()]

    def allow(self, keys: Iterable[str]) -> Self:
        """The object, which may have no other keys than these."""
        known = tuple(keys)
        for key in self.values:
            if key not in known:
                raise self.node.at(key, None).error(f"is unknown; what may stand there is {', '.join(known)}")
        return self

    def expect(self, key: str, *allowed: object) -> None:
        """Read a key that may have only these values; None stands for an absent one."""
        self.at(key).one_of(*allowed)

    def finish(self) -> None:
        """Refuse the keys that were not read."""
        for key in self:
            raise self.at(key).error(f"is unknown; its value is {shown(self.values[key])}")


class StrictFields(Fields):
    """An object in which null is a value like others, which no key may have."""

    def is_absent(self, key: str) -> bool:
        """Whether the object does not have the key."""
        return key not in self.values
