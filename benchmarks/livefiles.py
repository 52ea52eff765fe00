"""`python -m benchmarks live`: all four files of live media against mksquashfs or mkfs.erofs of their tree.

The layer's import and its base disks are kept before it begins, as are those of a build that makes other
platforms too.  Both pack the same tree with the layer's own setting and the same version of the program, on
all processors; they take turns, and the best of each counts.  Unpacking the tree with its owners needs root.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.elapsed import measured_settled
from benchmarks.figures import ROUNDS, Figure
from benchmarks.memory import Peak, run_measured
from bootimg.layer.declared.imagejson import PATH as IMAGE_JSON
from bootimg.live.fsoptions import FsType, RootfsOptions, rootfs_options
from bootimg.live.rootfsimage import DATA_OFFSET
from bootimg.sizes import MIB
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.objects import FileObject
from tests.integration.conftest import Workspace
from tests.integration.layouts.test_sysroot import laid_out
from tests.support.live.livemedia import newer_programs

_AIM, _MEMORY_AIM = 1.3, 300


@dataclass(frozen=True)
class LiveBench:
    """Builds of a layer's live media with a cache of their own, below `folder`."""

    folder: Path
    layer: Path

    def figures(self) -> Iterator[Figure]:
        """Time and memory of a build of live media alone."""
        tree = self._unpacked(self.artifact("live-rootfs"))
        rounds, peak = [], Peak()
        for number in range(ROUNDS):
            with measured_settled() as mine:
                peak.include(self._build(f"round-{number}", "live")[1])
            with measured_settled() as other:
                self._pack(tree)
            rounds.append((mine, other))
            shutil.rmtree(self.folder / f"round-{number}")
        ours, theirs = (min(each) for each in zip(*rounds, strict=True))
        cpu = f"of CPU {ours.cpu / theirs.cpu:.2f}"
        name = f"four live files against `{_program(self.options.fstype)}` of the tree"
        note = f"{ours} against {theirs}, {cpu}; {' '.join(self.options.words)}; best of {len(rounds)}"
        yield Figure(name, ours.seconds / theirs.seconds, "ratio", _AIM, note)
        note = ", ".join(f"{each} {size / MIB:.0f}" for each, size in sorted(peak.programs.items()))
        yield Figure("peak memory of building live media", peak.together / MIB, "MiB", _MEMORY_AIM, note)

    def artifact(self, key: str) -> Path:
        """A file of the first build, which makes the metal image too."""
        found = self._first["artifacts"]
        return Path(next(each["path"] for each in found if each["key"] == key))

    @cached_property
    def commit(self) -> Commit:
        """The imported layer."""
        return laid_out(Workspace(self.folder / "cache", self.folder / "first"), self.layer)[1].commit

    @cached_property
    def options(self) -> RootfsOptions:
        """The layer's setting."""
        found = self.commit.find(IMAGE_JSON)
        settings = json.loads(self.commit.read(IMAGE_JSON)) if isinstance(found, FileObject) else {}
        return rootfs_options(settings)

    @cached_property
    def programs(self) -> Path | None:
        """A folder with the layer's program where this machine's is too old."""
        folder = self.folder / "programs"
        folder.mkdir()
        found = newer_programs(self.commit, folder)
        if found is not None:
            # One program has both names.
            starter = (found / "sqfstar").read_text().replace("programs/sqfstar", "programs/mksquashfs")
            (found / "programs/mksquashfs").symlink_to("sqfstar")
            (found / "mksquashfs").write_text(starter)
            (found / "mksquashfs").chmod(0o755)
        return found

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The environment of both."""
        before = f"{self.programs}{os.pathsep}" if self.programs else ""
        return {
            **os.environ,
            "BOOTIMG_CACHE": str(self.folder / "cache"),
            "PATH": before + os.environ["PATH"],
        }

    @cached_property
    def _first(self) -> dict[str, Any]:
        return self._build("first", "metal,live")[0]

    def _build(self, builds: str, platforms: str) -> tuple[dict[str, Any], Peak]:
        words = ["build", str(self.layer), "-p", platforms, "-o", str(self.folder / builds), "--json"]
        done = run_measured([sys.executable, "-m", "bootimg", *words], self.environment)
        return json.loads(done.stdout), done.peak

    def _unpacked(self, rootfs: Path) -> Path:
        tree = self.folder / "tree"
        words: dict[FsType, list[str | Path]] = {
            FsType.SQUASHFS: ["unsquashfs", "-offset", str(DATA_OFFSET), "-dest", tree, "-quiet", rootfs],
            FsType.EROFS: ["fsck.erofs", f"--offset={DATA_OFFSET}", f"--extract={tree}", rootfs],
        }
        subprocess.run(words[self.options.fstype], env=self.environment, check=True, capture_output=True)
        return tree

    def _pack(self, tree: Path) -> None:
        image, options = self.folder / "image", self.options
        image.unlink(missing_ok=True)
        places = [tree, image] if options.fstype is FsType.SQUASHFS else [image, tree]
        # mksquashfs takes its options last, mkfs.erofs anywhere.
        argv: list[str | Path] = [_program(options.fstype), *places, *options.words]
        subprocess.run(argv, env=self.environment, check=True, capture_output=True)


def _program(fstype: FsType) -> str:
    return "mksquashfs" if fstype is FsType.SQUASHFS else "mkfs.erofs"
