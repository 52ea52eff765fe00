"""`python -m benchmarks peers`: the import and the base disk against other programs that do the same.

They take turns, so that other load on the machine affects both, and the best of each counts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import loopdeploy, mkosi, ostree_ext
from benchmarks.basedisks import BaseBench
from benchmarks.elapsed import Elapsed, measured_settled
from benchmarks.figures import Figure
from benchmarks.programs import run_python
from bootimg.atomic import sync
from tests.layer import stand_in

ROUNDS = 3


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
            "loop": (loopdeploy.why_not, self.loop),
            "copy": (lambda: None, self.copy),
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
            for _ in range(ROUNDS)
        ]
        ours, deploy, pull = (min(each) for each in zip(*rounds, strict=True))
        note = (
            f"{ours} against {deploy}, of CPU {ours.cpu / deploy.cpu:.2f}; against `pull`, which deploys "
            f"nothing, {ours.seconds / pull.seconds:.2f}: {pull}; best of {ROUNDS}"
        )
        name = "import of an encapsulated layer against `ostree container image deploy`"
        return Figure(name, ours.seconds / deploy.seconds, "ratio", 1.0, note)

    def _import(self, archive: Path) -> Elapsed:
        cache = self.folder / "empty"
        with measured_settled() as elapsed:
            run_python("benchmarks.importing", str(archive), BOOTIMG_CACHE=str(cache))
        shutil.rmtree(cache)
        return elapsed

    @cached_property
    def _bases(self) -> BaseBench:
        return BaseBench(self.folder, self.layer or stand_in())

    def disk(self) -> Figure:
        """The base disk of an imported layer against mkosi's disk of the unpacked one."""
        gpt, tree = self._bases.gpt, self._bases.tree()
        peer = mkosi.Mkosi(mkosi.unpack_tools(self.folder), tree, gpt, self.folder / "mkosi")
        peer.prepare()
        return self._against("mkosi", peer.version, peer.make, 0.3)

    def loop(self) -> Figure:
        """The base disk against loop mounts and ostree, as root on this machine's kernel."""
        gpt, cache = self._bases.gpt, self._bases.cache
        [seal] = cache.glob("bases/*/seal.json")
        commit = str(json.loads(seal.read_bytes())["commit"])
        peer = loopdeploy.LoopDeploy(cache / "repo", commit, gpt, self.folder / "loop")
        return self._against("loop mounts and ostree as root", "them", peer.make, 0.2)

    def copy(self) -> Figure:
        """The base disk against a copy of it."""
        return self._against("a copy of the disk", "cp and fsync", self._copied, None)

    def _against(self, title: str, peer: str, make: Callable[[], Elapsed], aim: float | None) -> Figure:
        """Our base disk and the peer's disk in turns; both sides leave a durable file."""
        _ = self._bases.gpt
        rounds = [(self._bases.make(), make()) for _ in range(ROUNDS)]
        ours, theirs = min(each for each, _ in rounds), min(each for _, each in rounds)
        note = (
            f"{ours.elapsed} against {theirs} of {peer}, of CPU {ours.elapsed.cpu / theirs.cpu:.2f}; "
            f"{ours.split}; best of {ROUNDS}"
        )
        ratio = ours.elapsed.seconds / theirs.seconds
        return Figure(f"base disk from an imported layer against {title}", ratio, "ratio", aim, note)

    def _copied(self) -> Elapsed:
        copy = self.folder / "copy.raw"
        with measured_settled() as elapsed:
            subprocess.run(["cp", "--reflink=never", self._bases.disk, copy], check=True)
            sync(copy)
        copy.unlink()
        return elapsed
