"""zipl: nothing of it is on a base disk, because each platform's disk has its own records."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.disk.bootloaders.bootloader import Installation
from bootimg.disk.zipl.stage3 import layer_stage3
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe


class Zipl:
    """The records of `bootimg.disk.zipl`, which are part of a platform's patch of /boot."""

    def unrealised(self, options: Bootupd, disk: Disk) -> Iterator[str]:
        """Nothing."""
        yield from ()

    def require(self, recipe: Recipe, tools: Tree) -> None:
        """The third stage of the layer's zipl; also `zipl-stage3-unknown`."""
        layer_stage3(tools)

    def install(self, installation: Installation) -> None:
        """Nothing."""
