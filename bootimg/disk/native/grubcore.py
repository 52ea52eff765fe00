"""GRUB's core image for the BIOS, kept in the cache by what it is made from.

The layer's grub-mkimage makes it.  Programs of the layer run in the appliance only, so the first build with
a GRUB starts the appliance once; later layers with the same GRUB do not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from bootimg.appliance import Appliance, Drive, FailureHook
from bootimg.atomic import write_whole
from bootimg.cache import Cache
from bootimg.disk.bootloaders.bios_grub import (
    BOOT_IMAGE,
    MODULES,
    BiosImages,
    core_argv,
    make_core_image,
    mkimage_program,
)
from bootimg.disk.bootloaders.grub import early_config
from bootimg.events import Events
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.vm.accelerator import Accelerator

FOLDER = "grubcores"
_FORMAT = 1
"""Counted up when the same inputs give another core image."""
_TOOLS = "tools"


def core_key(tools: Tree) -> str:
    """The digest of all that the core image is made from; `bootloader-missing` where the layer has no GRUB.

    The libraries of grub-mkimage are not part of it: GRUB's own code compresses an i386-pc image.
    """
    files = {name: _digest(tools, f"{MODULES}/{name}") for name in _files(tools)}
    inputs = {
        "format": _FORMAT,
        "program": _digest(tools, f"usr/bin/{mkimage_program(tools)}"),
        "arguments": [os.fspath(word) for word in core_argv(tools)],
        "early": early_config(),
        "files": files,
    }
    return sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _files(tools: Tree) -> list[str]:
    """The regular files among the modules."""
    found = []
    for name in tools.listdir(MODULES):
        path = tools.resolve(f"{MODULES}/{name}")
        if path is not None and tools.entries[path].kind is Kind.FILE:
            found.append(name)
    return found


def _digest(tools: Tree, path: str) -> str:
    return sha256(tools.read(path)).hexdigest()


def bios_images(tools: Tree, cache: Cache, events: Events, make: Callable[[], BiosImages]) -> BiosImages:
    """The boot sector and core image for a layer; `make` is called if the cache lacks them."""
    key = core_key(tools)
    path = cache.folder(FOLDER) / f"{key}.img"
    with cache.locked(f"grubcore-{key}", events), events.step("bootloader", "GRUB's core image") as step:
        if path.exists():
            os.utime(path)
            step.result("kept", cached=True)
            return BiosImages(tools.read(BOOT_IMAGE), path.read_bytes())
        images = make()
        write_whole(path, images.core_image)
        return images


def has_core(tools: Tree, cache: Cache) -> bool:
    """Whether the cache has the core image for a layer; False for one without GRUB."""
    return tools.exists(BOOT_IMAGE) and (cache.root / FOLDER / f"{core_key(tools)}.img").exists()


def has_bootloaders(cache: Cache) -> bool:
    """Whether the cache has any core image, whatever it was made from."""
    folder = cache.root / FOLDER
    return folder.is_dir() and any(folder.iterdir())


def images_by_appliance(
    tools: Tree,
    tool_tree: Path,
    *,
    log: Path,
    accelerator: Accelerator,
    cache: Cache,
    events: Events,
    on_failure: FailureHook | None = None,
) -> BiosImages:
    """Make the images in the appliance, which gets the tool tree's image and no disk."""
    with Appliance.start(
        [Drive(_TOOLS, tool_tree, readonly=True)],
        tool_tree=_TOOLS,
        log=log,
        accelerator=accelerator,
        cache=cache,
        events=events,
        on_failure=on_failure,
    ) as vm:
        return make_core_image(vm, tools)
