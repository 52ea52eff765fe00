"""The differences between two streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bootimg.streams.metadata.inventory import Item, Place, inventory
from bootimg.streams.metadata.stream import Stream


@dataclass(frozen=True, slots=True)
class Change:
    """An entry that was added (`before` is None), removed (`after` is None) or changed."""

    place: Place
    before: Item | None
    after: Item | None

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """The names of both streams, and the changes from the first to the second."""

    names: tuple[str, str]
    changes: Sequence[Change]

    def __bool__(self) -> bool:
        return self.names[0] != self.names[1] or bool(self.changes)


def difference(before: Stream, after: Stream) -> Difference:
    """The changes; the metadata about the files' time and generator are ignored."""
    old, new = inventory(before), inventory(after)
    places = sorted(old.keys() | new.keys())
    changes = [Change(each, old.get(each), new.get(each)) for each in places]
    differing = [each for each in changes if each.before != each.after]
    return Difference((before.stream, after.stream), differing)


def as_document(found: Difference) -> Mapping[str, Any]:
    """The difference as JSON."""
    return {
        "stream": {"old": found.names[0], "new": found.names[1]},
        "different": bool(found),
        "changes": [
            {
                **each.place._asdict(),
                "change": each.kind,
                "old": _item(each.before),
                "new": _item(each.after),
            }
            for each in found.changes
        ],
    }


def as_lines(found: Difference) -> Iterator[str]:
    """The difference for people: equal changes in many regions or formats are one line."""
    if found.names[0] != found.names[1]:
        yield f"stream     {found.names[0]} -> {found.names[1]}"
    for (arch, section, name), group in groupby(found.changes, key=lambda each: each.place[:3]):
        yield from (f"{arch:<10} {section} {name}: {line}" for line in _lines([*group]))
    if not found:
        yield "no difference"


def _lines(changes: Sequence[Change]) -> Iterator[str]:
    for kind in ("removed", "added", "changed"):
        same = [each for each in changes if each.kind == kind]
        if same:
            parts = ", ".join(each.place.part for each in same if each.place.part)
            yield f"{kind} {_releases(same)}{f' ({parts})' if parts else ''}"


def _releases(changes: Sequence[Change]) -> str:
    old = sorted({each.before.release or "" for each in changes if each.before} - {""})
    new = sorted({each.after.release or "" for each in changes if each.after} - {""})
    if old and new and old != new:
        return f"{', '.join(old)} -> {', '.join(new)}"
    return ", ".join(new or old) or "its values"


def _item(item: Item | None) -> Mapping[str, str | None] | None:
    return None if item is None else {"release": item.release, **item.values}
