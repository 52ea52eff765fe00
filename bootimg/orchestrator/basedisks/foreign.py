"""Disks of another architecture: programs of the layer cannot take part in making them on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bootimg.arch import Arch
from bootimg.disk.bootloaders.choice import arch_unsupported
from bootimg.disk.native.products.choice import products_as_data
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe
from bootimg.orchestrator.basedisks.deployway import choose_way
from bootimg.orchestrator.request import Request


def refuse_foreign_programs(arch: Arch, what: str) -> None:
    """Refuse to run programs of a layer that are not for this machine; `what` says what they would do."""
    if arch is not Arch.of_machine():
        raise arch_unsupported(arch, f"{what}, and they are for {arch}")


def refuse_foreign_layer(request: Request, recipe: Recipe, tree: Tree) -> None:
    """Refuse a disk that programs of the layer take part in, if they are not for this machine.

    What bootupd would do is written as data where it is known.
    """
    if (obstacle := choose_way(request, recipe).obstacle) is not None:
        refuse_foreign_programs(request.arch, f"programs of the layer make the disk, because {obstacle}")
    products_as_data(recipe, tree, request.arch, Path(tempfile.gettempdir()))
