"""Base disks of an imported layer, made again and again in a cache that only a benchmark uses."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.elapsed import Elapsed, measured_settled
from benchmarks.programs import run_python
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Gpt, read_gpt
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.layer.tree.tooltree import write_tool_tree

STEPS = ("tools", "appliance", "filesystems", "deploy", "bootloader", "finish")
"""The steps within `base`, in their order."""


@dataclass(frozen=True, order=True)
class Made:
    """The time of a base disk, and of its steps."""

    elapsed: Elapsed
    split: str


@dataclass(frozen=True)
class BaseBench:
    """Makes base disks of an imported layer for an architecture, in a cache below `folder`."""

    folder: Path
    layer: Path
    arch: Arch = field(default_factory=Arch.of_machine)

    @property
    def cache(self) -> Path:
        """The cache, which only this benchmark uses."""
        return self.folder / "cache"

    @cached_property
    def gpt(self) -> Gpt:
        """The disk's partition table: it imports the layer and makes a first base disk.

        The first also makes what serves later layers as well: the bootloader of a layer with bootupd.
        """
        with FileSource(Path(self._build()["kept"]["base"])) as source:
            return read_gpt(source)

    @property
    def disk(self) -> Path:
        """The last base disk that was made."""
        return next(self.cache.glob("bases/*/disk.raw"))

    def tree(self) -> Path:
        """The layer's unpacked tree, as in a container."""
        cache, events = Cache(self.cache), Events()
        image = fetch(str(self.layer), arch=self.arch, cache=cache, events=events)
        packed, tree = self.folder / "tree.squashfs", self.folder / "tree"
        write_tool_tree(open_tree(image, cache, events), packed)
        subprocess.run(["unsquashfs", "-q", "-n", "-d", tree, packed], check=True, capture_output=True)
        packed.unlink()
        return tree

    def make(self) -> Made:
        """The command again, with the imported layer and the bootloader in the cache but no base disk."""
        shutil.rmtree(self.cache / "bases")
        (self.cache / "timings.json").unlink()
        with measured_settled() as elapsed:
            self._build()
        return Made(elapsed, split(json.loads((self.cache / "timings.json").read_bytes())))

    def _build(self) -> Mapping[str, Any]:
        words = ["build", str(self.layer), "--arch", self.arch, "-p", "metal", "--until", "base", "--json"]
        builds = str(self.folder / "builds")
        said = run_python("bootimg", *words, BOOTIMG_CACHE=str(self.cache), BOOTIMG_BUILDS=builds)
        return dict(json.loads(said))


def split(timings: Mapping[str, float]) -> str:
    """The seconds of a base disk's steps, from the timings of one run; `rest` is between them."""
    seconds = {name.partition("/")[2]: value for name, value in timings.items()}
    [(way, total)] = [(name, value) for name, value in seconds.items() if name.startswith("base")]
    parts = {step: seconds[step] for step in STEPS if step in seconds}
    parts["rest"] = total - sum(parts.values())
    return f"step {way}: " + ", ".join(f"{name} {value:.1f}" for name, value in parts.items())
