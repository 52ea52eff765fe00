"""The way to make a base disk: the one that the request asks for, or the appliance if it is not possible.

A build records how its base disks were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg.builds.record import change_record, read_record
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.obstacle import native_obstacle
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe
from bootimg.orchestrator.request import Request


@dataclass(frozen=True, slots=True)
class ChosenWay:
    """The way to make a disk; `obstacle` is why it is not the native one that was asked for."""

    way: DeployWay
    obstacle: str | None = None


def choose_way(request: Request, recipe: Recipe, tools: Tree) -> ChosenWay:
    """The way that the recipe and the layer's tree allow; reading the commit may still show an obstacle."""
    if request.deploy is not DeployWay.NATIVE:
        return ChosenWay(request.deploy)
    obstacle = native_obstacle(recipe, request.arch, tools)
    return ChosenWay(DeployWay.NATIVE) if obstacle is None else ChosenWay(DeployWay.APPLIANCE, obstacle)


def record_ways(folder: Path, ways: Mapping[int, DeployWay]) -> None:
    """Write into the build's record how its base disks were made, by sector size in bytes."""
    before = read_record(folder)
    deployed = {**before.deployed, **{str(size): str(way) for size, way in ways.items()}}
    change_record(folder, replace(before, deployed=deployed))
