"""The way to make a base disk: the one that the request asks for, or the appliance if it is not possible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.obstacle import native_obstacle
from bootimg.disk.native.products.choice import maker_of
from bootimg.disk.native.products.store import has_products
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe
from bootimg.orchestrator.request import Request

WITH_BOOTLOADER = f"{DeployWay.NATIVE}-with-bootloader"
"""Natively, after the appliance made the bootloader, which the cache lacks."""


@dataclass(frozen=True, slots=True)
class ChosenWay:
    """The way to make a disk; `obstacle` is why it is not the native one that was asked for."""

    way: DeployWay
    obstacle: str | None = None


def choose_way(request: Request, recipe: Recipe) -> ChosenWay:
    """The way that the recipe allows; reading the commit may still show an obstacle."""
    if request.deploy is not DeployWay.NATIVE:
        return ChosenWay(request.deploy)
    obstacle = native_obstacle(recipe, request.arch)
    return ChosenWay(DeployWay.NATIVE) if obstacle is None else ChosenWay(DeployWay.APPLIANCE, obstacle)


def timed_way(ways: Iterable[tuple[Recipe, DeployWay]], tools: Tree, arch: Arch, cache: Cache) -> str:
    """The way that takes the most time among those of several disks; each way is timed apart."""
    found = list(ways)
    slow = [way for _, way in found if way is not DeployWay.NATIVE]
    if slow:
        return slow[0]
    makers = [maker for recipe, _ in found if (maker := maker_of(recipe, tools, arch)) is not None]
    return DeployWay.NATIVE if all(has_products(cache, each.key) for each in makers) else WITH_BOOTLOADER
