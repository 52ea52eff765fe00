"""Symbolic links as they are."""

from __future__ import annotations

import os
from pathlib import Path


def target_of(link: Path) -> str:
    """A symbolic link's target, byte for byte: `Path.readlink` drops `./` and all slashes but single ones."""
    return os.readlink(link)  # noqa: PTH115
