"""The error of the reader."""

from __future__ import annotations

from bootimg.errors import BootimgError


def unreadable(why: str) -> BootimgError:
    """The file system is damaged, or has a form that the reader does not know."""
    return BootimgError(
        "root-filesystem-unreadable",
        f"the root filesystem cannot be read: {why}",
        hint="make the disk again; or the filesystem has features that bootimg does not know",
    )
