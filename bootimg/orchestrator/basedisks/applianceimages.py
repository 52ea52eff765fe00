"""What the appliance gets beside the disk: the tool tree and the layer's commit, as images."""

from __future__ import annotations

from pathlib import Path

from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.tree.merged import Tree
from bootimg.layer.tree.tooltree import write_tool_tree

_FORMAT = 2
"""Counted up when the image of a tree is made in another way."""


def tool_tree_image(tools: Tree, cache: Cache, events: Events) -> Path:
    """The tool tree as a read-only file system image, kept under the tree's digest."""
    image = tool_tree_path(tools, cache)
    with (
        cache.locked(f"tooltree-{image.stem}", events),
        events.step("tools", "preparing the tool tree") as step,
    ):
        if image.exists():
            step.result("kept", cached=True)
        else:
            image.parent.mkdir(exist_ok=True)
            write_tool_tree(tools, image)
    return image


def tool_tree_path(tools: Tree, cache: Cache) -> Path:
    """The path of that image, which need not exist."""
    return cache.root / "tooltrees" / f"{tools.digest}-{_FORMAT}.squashfs"
