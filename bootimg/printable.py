"""Anybody's words on a terminal."""

from __future__ import annotations


def printable(line: str) -> str:
    """The line without what could command a terminal: names, labels and titles are anybody's words."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
