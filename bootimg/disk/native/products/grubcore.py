"""GRUB's core image for the BIOS: what our own rows of bootloaders need a program of the layer for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bootimg.disk.base import disk_gpt
from bootimg.disk.bootloaders.bios_grub import MODULES, boot_code, core_argv, make_core_image, mkimage_program
from bootimg.disk.bootloaders.bootcode import boot_partition
from bootimg.disk.bootloaders.grub import early_config
from bootimg.disk.native.products.layerfiles import describe, key_of
from bootimg.disk.native.products.products import Products, StartAppliance
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe

_FORMAT = 2
"""Counted up when the same inputs give other products."""


@dataclass(frozen=True)
class GrubCore:
    """Makes the boot code with the layer's grub-mkimage; no disk is needed for it."""

    recipe: Recipe
    tools: Tree

    @cached_property
    def key(self) -> str:
        """The libraries of grub-mkimage are not part of it: GRUB's own code compresses an i386-pc image."""
        program = f"usr/bin/{mkimage_program(self.tools)}"
        return key_of(
            {
                "way": ["grub core image", _FORMAT],
                "arguments": [os.fspath(word) for word in core_argv(self.tools)],
                "early": early_config(),
                "files": describe(self.tools, (program, MODULES)),
                "start": self._start,
            }
        )

    def make(self, start: StartAppliance, scratch: Path) -> Products:
        """Make it in an appliance that gets the tool tree alone."""
        with start([]) as vm:
            images = make_core_image(vm, self.tools)
        return Products(code=boot_code(images.boot_image, images.core_image, self._start))

    @property
    def _start(self) -> int:
        """The offset of the BIOS boot partition; no GUID matters for it."""
        return boot_partition(disk_gpt(self.recipe.disk, ""))[0]
