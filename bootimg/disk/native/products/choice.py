"""Which products a disk needs that programs of the layer make."""

from __future__ import annotations

from bootimg.disk.bootloaders.bootupd import brings_bootupd
from bootimg.disk.native.products.bootupd import ByBootupd
from bootimg.disk.native.products.grubcore import GrubCore
from bootimg.disk.native.products.products import Maker
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe


def maker_of(recipe: Recipe, tools: Tree) -> Maker | None:
    """What makes them; None where nothing of the layer has to run."""
    options = recipe.bootloader
    if options is None:
        return None
    if brings_bootupd(tools):
        return ByBootupd(recipe, options, tools)
    return GrubCore(recipe, tools) if options.bios is not None else None
