"""The recipe of the small layers, typed."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from bootimg.arch import Arch
from tests.layer.recipe import Recipe

HERE = Path(__file__).parent


def rootfs_of(arch: Arch) -> Path:
    """The folder of files that only the layer of this architecture has; it need not exist."""
    return HERE / f"rootfs-{arch}"


@dataclass(frozen=True, slots=True)
class SmallRecipe:
    """What the layer of one architecture is made of.

    `suite` is Debian's.  Without `has_consoles` coreos-assembler's table of platforms has no entry of
    the architecture.
    """

    arch: Arch
    suite: str
    packages: tuple[str, ...]
    has_consoles: bool
    removed: tuple[str, ...]
    removed_patterns: tuple[str, ...]
    removed_modules: tuple[str, ...]
    modules: tuple[str, ...]
    masked_units: tuple[str, ...]
    masked_generators: tuple[str, ...]


def read_small_recipe(arch: Arch, debian: Recipe) -> SmallRecipe:
    """The recipe of an architecture that has one."""
    table = tomllib.loads((HERE / "recipe.toml").read_text())
    own = table["architecture"][arch.value]
    return SmallRecipe(
        arch=arch,
        suite=debian.grub_suite if own.get("newest") else debian.suite,
        packages=(*(name for group in table["packages"].values() for name in group), *own["packages"]),
        has_consoles=own["has_consoles"],
        removed=(*table["remove"]["paths"], *own["removed"]),
        removed_patterns=tuple(table["remove"]["patterns"]),
        removed_modules=tuple(table["remove"]["modules"]),
        modules=tuple(table["initramfs"]["modules"]),
        masked_units=tuple(table["mask"]["units"]),
        masked_generators=tuple(table["mask"]["generators"]),
    )
