"""The files of a layer's GRUB that its core image is made of: images, and modules with what they need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from bootimg.disk.bootloaders.grubmodules import DEPENDENCIES, MODULE, with_dependencies
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree

KERNEL = "kernel.img"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrubFolder:
    """Where a layer has GRUB for a firmware: the folder, and the images that a core image takes.

    `firmware` is its name, and `packages` are those to install, in sentences of an error.
    """

    path: str
    images: Sequence[str]
    firmware: str
    packages: str


@dataclass(frozen=True, slots=True)
class CoreFiles:
    """Content: of the images, by their names, and of the modules, in the order to load them."""

    images: Mapping[str, bytes]
    modules: Sequence[bytes]


def read_core_files(tree: Tree, folder: GrubFolder, choose: Callable[[Set[str]], Iterable[str]]) -> CoreFiles:
    """The images, and the modules that `choose` takes of the names there are, with what these need.

    Raises `bootloader-missing` if the layer lacks a part of it, `grub-image-invalid`, and what `choose`
    raises.
    """
    names = tree.listdir(folder.path)
    if missing := [name for name in (*folder.images, DEPENDENCIES) if name not in names]:
        raise _missing(folder, missing)
    available = {name.removesuffix(MODULE) for name in names if name.endswith(MODULE)}
    listed = tree.read(f"{folder.path}/{DEPENDENCIES}").decode(errors="replace")
    wanted = with_dependencies(choose(available), listed)
    if missing := [f"{name}{MODULE}" for name in wanted if name not in available]:
        raise _missing(folder, missing)
    return CoreFiles(
        {name: tree.read(f"{folder.path}/{name}") for name in folder.images},
        [tree.read(f"{folder.path}/{name}{MODULE}") for name in wanted],
    )


def image_invalid(firmware: str, path: str, what: str) -> BootimgError:
    """The error for files of GRUB, in the folder `path`, that make no core image for a firmware."""
    return BootimgError(
        "grub-image-invalid",
        f"GRUB for {firmware} cannot be installed: {what}",
        hint=f"the layer's GRUB modules ({path}) may be damaged or of another version",
    )


def _missing(folder: GrubFolder, names: list[str]) -> BootimgError:
    return BootimgError(
        "bootloader-missing",
        f"the layer has no GRUB for {folder.firmware}",
        context=[f"looked for {name[:80]} in {folder.path}" for name in names[:10]],
        hint=f"install {folder.packages}, there",
        exit_code=ExitCode.USAGE,
    )
