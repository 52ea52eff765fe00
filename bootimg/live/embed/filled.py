"""The errors for areas that have something already, or nothing."""

from __future__ import annotations

from bootimg.errors import BootimgError, ExitCode


def already_filled(what: str) -> BootimgError:
    """The error for an ISO that has `what` already."""
    return BootimgError(
        "iso-area-filled",
        f"the ISO has {what} already",
        hint="--force replaces it",
        exit_code=ExitCode.USAGE,
    )


def nothing_there(what: str) -> BootimgError:
    """The error for an ISO that has no `what`."""
    return BootimgError(
        "iso-area-empty",
        f"the ISO has no embedded {what}",
        hint="`bootimg iso show` lists what is embedded",
    )
