"""The errors of reading osmet files."""

from __future__ import annotations

from bootimg.errors import BootimgError


def damaged(why: str) -> BootimgError:
    """The file is not an osmet file, or was changed."""
    return BootimgError(
        "osmet-damaged",
        f"the osmet file is damaged: {why}",
        hint="build the live media again",
    )
