"""The system that a disk, a live ISO or a rootfs image boots, read without booting it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from bootimg.checks.disksystem import system_of_deployment
from bootimg.checks.system import System
from bootimg.disk.inspection import inspect_disk, root_image
from bootimg.disk.unmounted import Unmounted, deployments
from bootimg.errors import BootimgError
from bootimg.live.reading.opened import root_of_image, root_of_iso
from bootimg.untrusted.budget import Budget
from bootimg.vm.image import image_format


class BootedKind(StrEnum):
    """What is booted; the value is its name for people."""

    DISK = "disk image"
    ISO = "live ISO"
    ROOTFS = "rootfs image"


def booted_system(file: Path, kind: BootedKind, folder: Path, budget: Budget) -> System | None:
    """The only deployment of a file; None if it has none or several.  `folder` is an empty scratch folder.

    Errors: those of `inspect_disk`, `root_of_iso` and `root_of_image`, `root-filesystem-unreadable`.
    """
    root = _root(file, kind, folder, budget)
    found = [] if root is None else list(deployments(root))
    if root is None or len(found) != 1:
        return None
    return system_of_deployment(root, found[0][1], str(kind), folder)


def _root(file: Path, kind: BootedKind, folder: Path, budget: Budget) -> Unmounted | None:
    if kind is BootedKind.DISK:
        try:
            found = inspect_disk(file, image_format(file), folder, budget)["root"]
        except BootimgError as error:
            if error.id != "gpt-damaged":
                raise
            return None
        return None if found is None or found["problem"] is not None else root_image(folder, budget)
    return (
        root_of_iso(file, folder, budget) if kind is BootedKind.ISO else root_of_image(file, folder, budget)
    )
