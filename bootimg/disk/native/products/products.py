"""The products of a bootloader's programs, and what makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bootimg.appliance import Appliance, Drive
from bootimg.disk.bootloaders.bootloader import Placement
from bootimg.sysroot.entries import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """Files of /boot and of the ESP, from the root of each, and the code that stands outside of both.

    Directories come before what they hold.  The entries have no times and no labels.  `lacks_modules` says
    that GRUB's modules belong in /boot too: they are the layer's files as they are.
    """

    boot: Sequence[Entry] = ()
    esp: Sequence[Entry] = ()
    code: Placement | None = None
    lacks_modules: bool = False


StartAppliance = Callable[[Sequence[Drive]], AbstractContextManager[Appliance]]
"""Starts the appliance on the tool tree, with these drives."""


class Maker(Protocol):
    """Makes the products for one recipe and layer."""

    @property
    def key(self) -> str:
        """The digest (hexadecimal) of all that the products are made from, and of the way."""
        ...

    def make(self, start: StartAppliance, scratch: Path) -> Products:
        """Make them in the appliance; `scratch` is a folder for large sparse files."""
        ...
