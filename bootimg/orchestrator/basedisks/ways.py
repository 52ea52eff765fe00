"""How base disks are made, as far as it changes the time: each way is timed apart."""

from __future__ import annotations

from collections.abc import Iterable

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.grubcore import has_core
from bootimg.disk.native.obstacle import native_obstacle
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe

WITH_CORE = f"{DeployWay.NATIVE}-with-core"
"""Natively, after the appliance made GRUB's core image, which the cache lacks."""


def chosen_way(asked_for: DeployWay, recipe: Recipe, arch: Arch, tools: Tree) -> DeployWay:
    """The way that the recipe and the layer's tree allow; reading the commit may still show an obstacle."""
    if asked_for is DeployWay.NATIVE and native_obstacle(recipe, arch, tools) is not None:
        return DeployWay.APPLIANCE
    return asked_for


def timed_way(ways: Iterable[tuple[Recipe, DeployWay]], tools: Tree, cache: Cache) -> str:
    """The way that takes the most time among those of several disks."""
    ways = list(ways)
    slow = [way for _, way in ways if way is not DeployWay.NATIVE]
    if slow:
        return slow[0]
    if any(_needs_core(recipe) for recipe, _ in ways) and not has_core(tools, cache):
        return WITH_CORE
    return DeployWay.NATIVE


def _needs_core(recipe: Recipe) -> bool:
    return recipe.bootloader is not None and recipe.bootloader.bios is not None
