"""GRUB for Open Firmware as a layer of ppc64le has it, and the core images that are made of it.

No program makes a core image: it is written here, of the layer's kernel.img and modules.  So what is made for
ppc64le is the same on whatever machine it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from bootimg.disk.bootloaders.corefiles import KERNEL, GrubFolder, read_core_files
from bootimg.disk.bootloaders.ieee1275 import core_image
from bootimg.layer.tree.merged import Tree

MODULES = "usr/lib/grub/powerpc-ieee1275"
"""The folder of the kernel and the modules."""
_FOLDER = GrubFolder(
    path=MODULES,
    images=(KERNEL,),
    firmware="the firmware of ppc64le",
    packages="grub2-ppc64le-modules (Fedora), or grub-ieee1275-bin (Debian)",
)


def open_firmware_core(
    tree: Tree, choose: Callable[[Set[str]], Iterable[str]], *, config: str, prefix: str
) -> bytes:
    """The core image of the layer's GRUB with the modules that `choose` takes of the names there are.

    What these need is added.  GRUB runs the configuration before anything else; the prefix is where it finds
    its folder.  Raises `bootloader-missing` if the layer lacks a part of it, `grub-image-invalid`, and what
    `choose` raises.
    """
    files = read_core_files(tree, _FOLDER, choose)
    return core_image(files.images[KERNEL], files.modules, config=config.encode(), prefix=prefix)
