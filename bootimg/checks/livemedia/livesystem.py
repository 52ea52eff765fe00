"""All findings about the operating system in the root file system of live media."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bootimg.checks.disksystem import system_of_deployment
from bootimg.checks.findings import Finding, finding
from bootimg.checks.image import system_findings
from bootimg.checks.purity import Purity
from bootimg.checks.rules import Rule
from bootimg.checks.system import STRANGE, System
from bootimg.disk.unmounted import Unmounted, deployments
from bootimg.errors import BootimgError
from bootimg.live.reading.opened import root_of_image, root_of_iso
from bootimg.rpmdb.package import Package
from bootimg.untrusted.budget import Budget

# What is wrong with the files themselves is a finding about them.
_REPORTED = ("iso-unreadable", "live-archive-malformed")
_UNREADABLE = "live-rootfs-unreadable"
_WHERE = "root file system"
Opener = Callable[[Path, Path], Unmounted | None]


def system_of_iso_findings(
    iso: Path, folder: Path, mode: Purity, allow: Sequence[str], budget: Budget
) -> list[Finding]:
    """Findings about the system of an ISO; `folder` is a scratch folder.

    There are none about an ISO without rootfs image.  Raises `program-missing`, `live-reader-too-old`.
    """
    return list(_findings(iso, partial(root_of_iso, budget=budget), folder, mode, allow))


def system_of_image_findings(
    image: Path, folder: Path, mode: Purity, allow: Sequence[str], budget: Budget
) -> list[Finding]:
    """Findings about the system of a rootfs image; `folder` is a scratch folder.  Raises the same."""
    return list(_findings(image, partial(root_of_image, budget=budget), folder, mode, allow))


def iso_packages(iso: Path, folder: Path, budget: Budget) -> list[Package] | None:
    """The packages of the system of an ISO; None if it has no rootfs image or no package database.

    Raises `live-rootfs-unreadable`, `rpmdb-unreadable` and what `root_of_iso` raises.
    """
    root = root_of_iso(iso, folder, budget)
    system = None if root is None else next(_systems(root, folder), None)
    if system is None:
        return None
    if system.unreadable is not None:
        raise system.unreadable
    return None if system.packages is None else sorted(system.packages, key=lambda each: each.nevra)


def _findings(
    path: Path, opener: Opener, folder: Path, mode: Purity, allow: Sequence[str]
) -> Iterator[Finding]:
    try:
        root = opener(path, folder)
    except BootimgError as error:
        if error.id not in (*_REPORTED, _UNREADABLE):
            raise
        return
    if root is None:
        return
    try:
        yield from _inside(root, folder, mode, allow)
    except BootimgError as error:
        if error.id not in (_UNREADABLE, *STRANGE):
            raise
        message = "parts of it were not checked"
        yield finding(Rule.LIVE_SYSTEM, _WHERE, "; ".join((str(error), *error.context)), message)


def _inside(root: Unmounted, folder: Path, mode: Purity, allow: Sequence[str]) -> Iterator[Finding]:
    found = [path for _, path in deployments(root)]
    if len(found) != 1:
        message = "a live system has one deployment"
        yield finding(Rule.LIVE_SYSTEM, _WHERE, ", ".join(found) or "no deployment", message)
    for system in _systems(root, folder):
        yield from system_findings(system, mode, allow)


def _systems(root: Unmounted, folder: Path) -> Iterator[System]:
    for stateroot, path in deployments(root):
        yield system_of_deployment(root, path, f"deployment in {stateroot}", folder)
