"""Which products a disk needs that programs of the layer make, or would make on a machine of their own."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.disk.bootloaders.bootupd import brings_bootupd
from bootimg.disk.bootloaders.prep_grub import is_prep
from bootimg.disk.native.products.bootupd import ByBootupd
from bootimg.disk.native.products.bootupddata import bootupd_as_data
from bootimg.disk.native.products.grubcore import GrubCore
from bootimg.disk.native.products.products import Maker, Products
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe


def maker_of(recipe: Recipe, tools: Tree, arch: Arch) -> Maker | None:
    """What makes them; None where nothing of the layer has to run, or could run."""
    options = recipe.bootloader
    if options is None or is_prep(options, recipe.disk) or _is_foreign_bootupd(tools, arch):
        return None
    if brings_bootupd(tools):
        return ByBootupd(recipe, options, tools)
    return GrubCore(recipe, tools) if options.bios is not None else None


def products_as_data(recipe: Recipe, tools: Tree, arch: Arch, folder: Path) -> Products | None:
    """What bootupd would leave, for another architecture or in a PReP partition; None where there is none.

    `folder` is for temporary files.  `arch-build-unsupported` if what it would leave is not known.
    """
    options = recipe.bootloader
    if options is None or not brings_bootupd(tools):
        return None
    if is_prep(options, recipe.disk) or _is_foreign_bootupd(tools, arch):
        return bootupd_as_data(recipe, options, tools, arch, folder)
    return None


def _is_foreign_bootupd(tools: Tree, arch: Arch) -> bool:
    return arch is not Arch.of_machine() and brings_bootupd(tools)
