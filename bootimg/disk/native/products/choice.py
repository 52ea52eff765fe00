"""What a disk has of the layer's bootupd, and who makes it: bootupd itself, or bootimg as data."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.disk.bootloaders.bootupd import brings_bootupd
from bootimg.disk.bootloaders.prep_grub import is_prep
from bootimg.disk.native.products.bootupd import ByBootupd
from bootimg.disk.native.products.bootupddata import bootupd_as_data
from bootimg.disk.native.products.products import Maker, Products
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Recipe


def maker_of(recipe: Recipe, tools: Tree, arch: Arch) -> Maker | None:
    """What makes them; None where nothing of the layer has to run, or could run."""
    options = recipe.bootloader
    if options is None or not brings_bootupd(tools) or _as_data(recipe, options, arch):
        return None
    return ByBootupd(recipe, options, tools)


def products_as_data(recipe: Recipe, tools: Tree, arch: Arch, folder: Path) -> Products | None:
    """What bootupd would leave, for another architecture or in a PReP partition; None where there is none.

    `folder` is for temporary files.  `arch-build-unsupported` if what it would leave is not known.
    """
    options = recipe.bootloader
    if options is None or not brings_bootupd(tools):
        return None
    return bootupd_as_data(recipe, options, tools, arch, folder) if _as_data(recipe, options, arch) else None


def _as_data(recipe: Recipe, options: Bootupd, arch: Arch) -> bool:
    """Whether what bootupd leaves is written without running it."""
    return arch is not Arch.of_machine() or is_prep(options, recipe.disk)
