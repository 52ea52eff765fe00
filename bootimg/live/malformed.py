"""The signal of parsers that do not know which file they read."""

from __future__ import annotations


class MalformedError(ValueError):
    """Bytes that are not what they should be; the text says why."""
