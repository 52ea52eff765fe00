"""The kernel arguments of a live system, from those of the installed one.

Source: the live stage of osbuild (org.osbuild.coreos.live-artifacts.mono).
"""

from __future__ import annotations

from collections.abc import Iterable

from bootimg import kernelarg
from bootimg.kernelarg import FIRSTBOOT, KernelArgument

# The console is the firmware's, the platform always metal; the live system finds its deployment itself.
_LEFT_OUT = ("console", "ignition.platform.id", "ostree")


def live_arguments(options: Iterable[str], volume_id: str) -> tuple[KernelArgument, ...]:
    """The arguments of the boot entry's `options` that a live system has too, and where its ISO is.

    The template has `ignition.firstboot` and the platform itself.  `kernel-argument-invalid` says what a boot
    loader would not pass on.
    """
    words = [word for word in kernelarg.split(" ".join(options)) if word != FIRSTBOOT]
    kept = [word for word in words if word.partition("=")[0] not in _LEFT_OUT]
    where = "the kernel arguments of the live system"
    iso = KernelArgument.parse(f"coreos.liveiso={volume_id}", where)
    return (*kernelarg.parse_arguments(kept, where), iso)
