"""Makes untrusted text safe to print on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def printable(line: str) -> str:
    """The line without control characters: names, labels and titles are untrusted."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


def shown(value: object) -> str:
    """An untrusted value as a short text for a message.

    Lists and objects are not printed: with YAML's aliases a small file can hold a huge list.
    """
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return "a list"
    if isinstance(value, int) and abs(value) >> 64:
        # Python refuses to print numbers of more than some thousand digits.
        return "a huge number"
    return f"{value!r:.80}"
