"""Whose program makes the live system's root file system: this machine's, or the layer's in the appliance.

The appliance's own programs are no third way: libguestfs takes them from this machine's packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.live.fsoptions import FsType
from bootimg.live.programs.known import MAKERS, Installed, Maker, dotted, installed
from bootimg.rpmdb.package import Package
from bootimg.vm.qemu import parse_version

_FOLDERS = ("usr/bin", "usr/sbin")


@dataclass(frozen=True, slots=True)
class ChosenMaker:
    """A program for a file system.

    `here` is this machine's program; if it is None, the layer's runs in the appliance, and `obstacle` says
    why.  `version` is () as long as the layer's packages do not tell it.
    """

    maker: Maker
    version: tuple[int, ...]
    here: Installed | None = None
    obstacle: str = ""

    @property
    def text(self) -> str:
        """Whose program it is, and why."""
        name = f"{self.maker.name} {dotted(self.version)}".rstrip()
        if self.here is not None:
            return f"this machine's {name} makes the root file system"
        return f"the layer's {name} makes the root file system in the appliance: {self.obstacle}"


def choose_maker(fstype: FsType, tree: Tree, packages: Sequence[Package] | None) -> ChosenMaker:
    """The program for a layer with these packages (None: they are not known).

    Raises `live-program-too-old`, with both versions, where neither program will do.
    """
    maker = MAKERS[fstype]
    here = installed(maker)
    if here is not None and here.version >= maker.minimum:
        return ChosenMaker(maker, here.version, here)
    obstacle = _obstacle(maker, here)
    if not any(tree.exists(f"{folder}/{maker.name}") for folder in _FOLDERS):
        raise _too_old(maker, obstacle, f"the layer has no {maker.name}")
    version = _packaged(maker, packages or ())
    if version and version < maker.minimum:
        raise _too_old(maker, obstacle, f"the layer's {maker.packages.dnf} is {dotted(version)}")
    return ChosenMaker(maker, version, obstacle=obstacle)


def require_here(maker: Maker) -> Installed:
    """This machine's program; `live-program-too-old` if it will not do."""
    here = installed(maker)
    if here is None or here.version < maker.minimum:
        raise _too_old(maker, _obstacle(maker, here))
    return here


def require_version(maker: Maker, said: str) -> None:
    """Raise `live-program-too-old` by what the layer's program says of its version."""
    version = parse_version(said)
    if version < maker.minimum:
        found = dotted(version) or "of an unknown version"
        raise _too_old(maker, f"the layer's {maker.name} is {found}")


def _packaged(maker: Maker, packages: Sequence[Package]) -> tuple[int, ...]:
    """The version of the layer's package; Debian has the same names as RPM."""
    found = (each.version for each in packages if each.name == maker.packages.dnf)
    return parse_version(next(found, ""))


def _obstacle(maker: Maker, here: Installed | None) -> str:
    if here is None:
        return f"this machine has no {maker.name}"
    return f"{here}, {maker.wanted} or newer is needed"


def _too_old(maker: Maker, *found: str) -> BootimgError:
    return BootimgError(
        "live-program-too-old",
        f"no {maker.name} is new enough to make a live system: {maker.wanted} or newer is needed",
        context=found,
        hint=f"install a newer {maker.packages.apt} on this machine or in the layer, or leave live media out",
        exit_code=ExitCode.ENVIRONMENT,
    )
