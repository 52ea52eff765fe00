"""Anybody's words on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def printable(line: str) -> str:
    """The line without what could command a terminal: names, labels and titles are anybody's words."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


def shown(value: object) -> str:
    """A value of anybody's file for a message, short whatever it is.

    A list is not written out: with YAML's aliases a small file holds a huge one.
    """
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return "a list"
    if isinstance(value, int) and abs(value) >> 64:
        # Beyond some thousand digits Python does not write it at all.
        return "a huge number"
    return f"{value!r:.80}"
