"""The kernel arguments of a CoreOS ISO's live system."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import parse_arguments, split
from bootimg.live.embed.coreosiso import Change, CoreosIso


def append_kargs(iso: CoreosIso, arguments: Sequence[str]) -> list[Change]:
    """The changes that add arguments at the end: `kernel-argument-invalid`, `iso-area-too-small`."""
    added = parse_arguments(arguments, "the command line")
    return iso.with_kargs(" ".join([iso.kargs, *added]))


def delete_kargs(iso: CoreosIso, arguments: Sequence[str]) -> list[Change]:
    """The changes that remove arguments wherever they stand; `kernel-argument-missing` for an absent one."""
    words = split(iso.kargs)
    for argument in arguments:
        if argument not in words:
            raise BootimgError(
                "kernel-argument-missing",
                f"{argument!r:.200} is not among the kernel arguments",
                context=[iso.kargs],
                hint="give the whole argument, with its value",
                exit_code=ExitCode.USAGE,
            )
    return iso.with_kargs(" ".join(word for word in words if word not in arguments))
