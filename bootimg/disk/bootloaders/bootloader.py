"""The protocol of bootloaders.  Each is installed in the appliance; some are then placed on the disk file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bootimg.appliance import Appliance
from bootimg.disk.gpt import Gpt
from bootimg.disk.ostree_deploy import SYSROOT
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe

BOOT = f"{SYSROOT}/boot"
"""Where the appliance has the disk's /boot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What a bootloader is installed from, while the recipe's file systems are mounted at SYSROOT.

    `options` are the recipe's for the bootloader, `tools` the tree that is the appliance's root.
    """

    vm: Appliance
    recipe: Recipe
    options: Bootupd
    tools: Tree


class Placement(Protocol):
    """The part of a bootloader that stands outside the file systems."""

    def place(self, disk: Path, gpt: Gpt) -> None:
        """Write it to the disk file, whose partition table is `gpt`; the appliance has ended."""
        ...


class Bootloader(Protocol):
    """A bootloader, or a program that installs some."""

    def unrealised(self, options: Bootupd, disk: Disk) -> Iterator[str]:
        """The options that it does not realise on such a disk, as the manifest calls them."""
        ...

    def require(self, recipe: Recipe, tools: Tree) -> None:
        """Raise `bootloader-missing` if the tools lack what it is installed from."""
        ...

    def install(self, installation: Installation) -> Placement | None:
        """Write its files and run its programs; returns what is still to be placed on the disk."""
        ...
