"""Why a disk in a registry is refused."""

from __future__ import annotations

from collections.abc import Iterable

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.sizes import format_size


def invalid(reference: str, why: str) -> BootimgError:
    """The error for what is not a disk image as bootimg writes them."""
    return BootimgError(
        "disk-artifact-invalid",
        f"{reference} is not a disk image that can be pulled",
        context=[printable(why)[:300]],
        hint="check the reference; `skopeo inspect --raw docker://…` shows what is there",
        exit_code=ExitCode.USAGE,
    )


def damaged(reference: str, what: str, found: str) -> BootimgError:
    """The error for content that does not match its digest or size."""
    return BootimgError(
        "disk-artifact-damaged",
        f"{reference}: {what} does not match what was announced",
        context=[f"found {found}"],
        hint="nothing was kept; pull again, and tell the owner of the repository if it stays so",
    )


def too_large(reference: str, size: int, limit: int) -> BootimgError:
    """The error for a disk of more bytes than are allowed."""
    return BootimgError(
        "disk-artifact-too-large",
        f"{reference} has {format_size(size)}, and {format_size(limit)} are allowed",
        hint="--max-size sets how much is allowed",
        exit_code=ExitCode.USAGE,
    )


def missing(reference: str, platform: str | None, arch: Arch, others: list[str]) -> BootimgError:
    """The error for a list without the disk; `others` are the disks that it has."""
    return BootimgError(
        "disk-artifact-missing",
        f"{reference} has no disk image of {platform or 'any platform'} for {arch}",
        context=[f"it has: {printable(', '.join(sorted(others)))[:500] or 'none'}"],
        hint="choose with -p and --arch",
        exit_code=ExitCode.USAGE,
    )


def ambiguous(reference: str, names: Iterable[str]) -> BootimgError:
    """The error for a list with disks of several platforms, `names`."""
    return BootimgError(
        "disk-artifact-ambiguous",
        f"{reference} has disk images of several platforms",
        context=[f"they are {printable(', '.join(sorted(names)))[:500]}"],
        hint="choose one with -p",
        exit_code=ExitCode.USAGE,
    )
