"""`python -m benchmarks verify`: the artifacts of a build read side by side, against one after the other.

They take turns in one run, over the same files in the page cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import ROUNDS, Figure
from bootimg.arch import Arch
from bootimg.builds.find import Build
from bootimg.builds.meta import image_entry
from bootimg.checks.builds.artifactrules import artifact_findings
from bootimg.disk.extents import FileSource
from bootimg.events import Events
from bootimg.formats import Compressor, Packing, write
from bootimg.formats.output import Written
from bootimg.sizes import MIB

_ARTIFACTS = (
    Compressor.NONE,
    Compressor.GZIP,
    Compressor.NONE,
    Compressor.ZSTD,
    Compressor.NONE,
    Compressor.GZIP,
)
"""Artifacts as in a stream's build: some are compressed by their format, the others by bootimg."""


def build_of(disk: Path, folder: Path) -> Build:
    """A build that has the disk six times, plain and compressed, and nothing but these artifacts."""
    path = folder / "1" / Arch.X86_64
    path.mkdir(parents=True)
    images = {
        f"image-{at}": image_entry(_written(disk, path, at, each)) for at, each in enumerate(_ARTIFACTS)
    }
    return Build("1", Arch.X86_64, path, {"name": "disk", "buildid": "1", "images": images})


def _written(disk: Path, folder: Path, at: int, compressor: Compressor) -> Written:
    out = folder / f"disk-1-{at}.x86_64.raw{compressor.suffix}"
    with FileSource(disk) as source:
        return write("raw", source, out, {}, None, Packing(compressor))


def figures(build: Build) -> Iterator[Figure]:
    """The ratio of the best times."""
    jobs = os.cpu_count() or 1
    together, alone = [], []
    for _ in range(ROUNDS):
        together.append(_seconds(build, jobs))
        alone.append(_seconds(build, 1))
    best, other = min(together), min(alone)
    size = sum(entry["size"] for entry in build.images.values())
    note = f"{best:.2f} s, {jobs} at a time, {other:.2f} s one by one; {size / MIB:.0f} MiB; best of {ROUNDS}"
    yield Figure("verify, artifacts side by side over one after the other", best / other, "ratio", None, note)


def _seconds(build: Build, jobs: int) -> float:
    started = time.monotonic()
    found = artifact_findings(build, Events(), jobs)
    if found:
        raise RuntimeError(f"the build that is measured is damaged: {found[0]}")
    return time.monotonic() - started
