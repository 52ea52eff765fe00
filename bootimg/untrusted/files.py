"""Files that may be larger than anybody should read."""

from __future__ import annotations

from pathlib import Path


def read_start(path: Path, limit: int) -> bytes:
    """The bytes of a file; `limit` + 1 of them where it has more, which parsers refuse."""
    with path.open("rb") as file:
        return file.read(limit + 1)
