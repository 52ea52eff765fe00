"""GRUB for Open Firmware as a layer of ppc64le has it, and the core images that are made of it.

No program makes a core image: it is written here, of the layer's kernel.img and modules.  So what is made for
ppc64le is the same on whatever machine it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from bootimg.disk.bootloaders.grubmodules import DEPENDENCIES, MODULE, with_dependencies
from bootimg.disk.bootloaders.ieee1275 import core_image
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree

MODULES = "usr/lib/grub/powerpc-ieee1275"
"""The folder of the kernel and the modules."""
_KERNEL = "kernel.img"


def open_firmware_core(
    tree: Tree, choose: Callable[[Set[str]], Iterable[str]], *, config: str, prefix: str
) -> bytes:
    """The core image of the layer's GRUB with the modules that `choose` takes of the names there are.

    What these need is added.  GRUB runs the configuration before anything else; the prefix is where it finds
    its folder.  Raises `bootloader-missing` if the layer lacks a part of it, `grub-image-invalid`, and what
    `choose` raises.
    """
    names = tree.listdir(MODULES)
    if missing := [name for name in (_KERNEL, DEPENDENCIES) if name not in names]:
        raise _missing(missing)
    available = {name.removesuffix(MODULE) for name in names if name.endswith(MODULE)}
    listed = tree.read(f"{MODULES}/{DEPENDENCIES}").decode(errors="replace")
    wanted = with_dependencies(choose(available), listed)
    if missing := [f"{name}{MODULE}" for name in wanted if name not in available]:
        raise _missing(missing)
    modules = [tree.read(f"{MODULES}/{name}{MODULE}") for name in wanted]
    return core_image(tree.read(f"{MODULES}/{_KERNEL}"), modules, config=config.encode(), prefix=prefix)


def _missing(names: list[str]) -> BootimgError:
    return BootimgError(
        "bootloader-missing",
        "the layer has no GRUB for the firmware of ppc64le",
        context=[f"looked for {name[:80]} in {MODULES}" for name in names],
        hint="install grub2-ppc64le-modules (Fedora), or grub-ieee1275-bin (Debian), there",
        exit_code=ExitCode.USAGE,
    )
