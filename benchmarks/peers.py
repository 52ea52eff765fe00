"""`python -m benchmarks peers`: the import and the base disk against the programs that do the same today.

They take turns, so that other load on the machine affects both, and the best of each counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import mkosi, ostree_ext
from benchmarks.elapsed import Elapsed, measured_settled
from benchmarks.figures import Figure
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Gpt, read_gpt
from tests.layer import stand_in

IMPORTS = 3
DISKS = 2
STEPS = ("tools", "appliance", "filesystems", "deploy", "bootloader", "finish")
"""The steps within `base`, in their order."""


@dataclass(frozen=True)
class PeerBench:
    """Measures below `folder`; `layer` is an encapsulated layer (None: stand-ins)."""

    folder: Path
    layer: Path | None

    def figures(self, only: Sequence[str] = ()) -> Iterator[Figure]:
        """Measure one part after the other, or those of `only`; a part without its peer is left out."""
        parts: Mapping[str, tuple[Callable[[], str | None], Callable[[], Figure]]] = {
            "import": (ostree_ext.why_not, self.importing),
            "disk": (mkosi.why_not, self.disk),
        }
        for name, (why_not, part) in parts.items():
            if only and name not in only:
                continue
            if reason := why_not():
                print(f"{name}: left out, because its peer cannot run: {reason}", file=sys.stderr)
            else:
                yield part()

    def importing(self) -> Figure:
        """The whole import of an encapsulated layer into an empty cache against the native deployment."""
        archive = self.layer or stand_in(form="encapsulated")
        rounds = [
            (
                self._import(archive),
                ostree_ext.deploy(archive, self.folder),
                ostree_ext.pull(archive, self.folder),
            )
            for _ in range(IMPORTS)
        ]
        ours, deploy, pull = (min(each) for each in zip(*rounds, strict=True))
        note = (
            f"{ours} against {deploy}, of CPU {ours.cpu / deploy.cpu:.2f}; against `pull`, which deploys "
            f"nothing, {ours.seconds / pull.seconds:.2f}: {pull}; best of {IMPORTS}"
        )
        name = "import of an encapsulated layer against `ostree container image deploy`"
        return Figure(name, ours.seconds / deploy.seconds, "ratio", 1.0, note)

    def _import(self, archive: Path) -> Elapsed:
        cache = self.folder / "empty"
        with measured_settled() as elapsed:
            _python("benchmarks.importing", str(archive), BOOTIMG_CACHE=str(cache))
        shutil.rmtree(cache)
        return elapsed

    def disk(self) -> Figure:
        """The base disk of an imported layer against mkosi's disk of the unpacked one."""
        bench = BaseBench(self.folder, self.layer or stand_in())
        gpt = bench.first()
        peer = mkosi.Mkosi(mkosi.unpack_tools(self.folder), bench.tree(), gpt, self.folder / "mkosi")
        peer.prepare()
        rounds = [(bench.make(), peer.make()) for _ in range(DISKS)]
        ours, theirs = min(each for each, _ in rounds), min(each for _, each in rounds)
        note = (
            f"{ours.elapsed} against {theirs} of {peer.version}, of CPU {ours.elapsed.cpu / theirs.cpu:.2f}; "
            f"{ours.split}; best of {DISKS}"
        )
        name = "base disk from an imported layer against mkosi"
        return Figure(name, ours.elapsed.seconds / theirs.seconds, "ratio", 1.0, note)


@dataclass(frozen=True, order=True)
class Made:
    """The time of a base disk, and of its steps."""

    elapsed: Elapsed
    split: str


@dataclass(frozen=True)
class BaseBench:
    """Makes base disks of an imported layer, in a cache below `folder`."""

    folder: Path
    layer: Path

    @property
    def cache(self) -> Path:
        """The cache, which only this benchmark uses."""
        return self.folder / "cache"

    def first(self) -> Gpt:
        """Import the layer and make a first base disk; returns the disk's partition table.

        The first also makes the appliance, which serves all layers as mkosi's tools do.
        """
        with FileSource(Path(self._build()["kept"]["base"])) as source:
            return read_gpt(source)

    def tree(self) -> Path:
        """The layer's unpacked tree, as in a container, from the image of our tool tree."""
        [image] = self.cache.glob("tooltrees/*.squashfs")
        tree = self.folder / "tree"
        subprocess.run(["unsquashfs", "-q", "-n", "-d", tree, image], check=True, capture_output=True)
        return tree

    def make(self) -> Made:
        """The command again with only the layer in the cache, without the disk and its tool tree."""
        for name in ("bases", "tooltrees"):
            shutil.rmtree(self.cache / name)
        with measured_settled() as elapsed:
            self._build()
        return Made(elapsed, split(json.loads((self.cache / "timings.json").read_bytes())))

    def _build(self) -> Mapping[str, Any]:
        words = ["build", str(self.layer), "-p", "metal", "--until", "base", "--json"]
        builds = str(self.folder / "builds")
        said = _python("bootimg", *words, BOOTIMG_CACHE=str(self.cache), BOOTIMG_BUILDS=builds)
        return dict(json.loads(said))


def split(timings: Mapping[str, float]) -> str:
    """The seconds of a base disk's steps, from the timings of one accelerator; `rest` is between them."""
    seconds = {name.partition("/")[2]: value for name, value in timings.items()}
    parts = {step: seconds[step] for step in STEPS if step in seconds}
    parts["rest"] = seconds["base"] - sum(parts.values())
    [accelerator] = {name.partition("/")[0] for name in timings}
    return f"step base, {accelerator}: " + ", ".join(f"{name} {value:.1f}" for name, value in parts.items())


def _python(module: str, *arguments: str, **environment: str) -> bytes:
    argv = [sys.executable, "-m", module, *arguments]
    return subprocess.run(argv, env={**os.environ, **environment}, check=True, capture_output=True).stdout
