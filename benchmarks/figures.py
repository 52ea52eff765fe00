"""The figures that are measured, each with the aim that it is compared with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.elapsed import measured_settled
from benchmarks.memory import Peak, run_measured
from bootimg.disk.extents import FileSource
from bootimg.disk.layer_deploy import DeployWay
from bootimg.formats import write
from bootimg.sizes import MIB

QCOW2: Mapping[str, str | bool] = {"compat": "1.1", "compression": False}
ROUNDS = 3


@dataclass(frozen=True)
class Figure:
    """A measured value and its aim (or None), both in `unit`; less is better."""

    name: str
    value: float
    unit: str
    aim: float | None
    note: str

    @property
    def verdict(self) -> str:
        """Whether the aim is met."""
        if self.aim is None:
            return ""
        return "met" if self.value <= self.aim else "missed"

    def as_dict(self) -> dict[str, object]:
        """The figure for `--json`."""
        return {**asdict(self), "value": round(self.value, 3), "verdict": self.verdict or None}


@dataclass
class Bench:
    """Runs of bootimg with a separate cache and tree of builds, below `folder`."""

    folder: Path
    base: Path
    changed: Path

    def __post_init__(self) -> None:
        self.cache, self.builds = self.folder / "cache", self.folder / "builds"
        self.peak = Peak()
        self.environment = {
            **os.environ,
            "BOOTIMG_CACHE": str(self.cache),
            "BOOTIMG_BUILDS": str(self.builds),
            "BOOTIMG_ACCEL": "tcg",
        }

    def figures(self) -> Iterator[Figure]:
        """Measure one figure after the other; each uses what the previous one left in the cache."""
        yield self.importing("import, cold", self.base, self.cache)
        yield self.first_base_disk()
        with self._cache_copy() as copy:
            yield self.importing("import, one package changed", self.changed, copy)
        yield self.changed_package()
        yield self.second_build()
        yield self.memory()
        yield self.qcow2()

    def importing(self, name: str, archive: Path, cache: Path) -> Figure:
        """The import of a layer into a cache."""
        output = json.loads(self._run("benchmarks.importing", str(archive), BOOTIMG_CACHE=str(cache)))
        counts = f"{output['new-objects']} of {output['objects']} objects written"
        note = f"{counts}; reading the layers took {output['open-seconds']:.1f} s before"
        return Figure(name, output["import-seconds"], "s", None, note)

    def first_base_disk(self) -> Figure:
        """The step `base` of the first build; the cache has the imported layer alone."""
        self._run("bootimg", "build", str(self.base), "--json")
        timings = json.loads((self.cache / "timings.json").read_bytes())
        seconds = timings[f"tcg/base-{DeployWay.NATIVE}"]
        return Figure("first base disk from an imported layer", seconds, "s", 120, "without the appliance")

    def changed_package(self) -> Figure:
        """The whole command for a version in which one package has changed, to its qcow2; the median."""
        times = []
        for _ in range(ROUNDS):
            with self._cache_copy() as copy, measured_settled() as elapsed:
                self._run(
                    "bootimg", "build", str(self.changed), "-p", "qemu", "--json",
                    BOOTIMG_CACHE=str(copy), BOOTIMG_BUILDS=str(copy / "builds"),
                )  # fmt: skip
            times.append(elapsed)
        median = sorted(times)[ROUNDS // 2]
        note = f"{median}; median of {ROUNDS}"
        return Figure("one changed package to a qcow2, whole command", median.seconds, "s", 8, note)

    def second_build(self) -> Figure:
        """The same command again, from its start to its end; the median."""
        times = []
        for _ in range(ROUNDS):
            started = time.monotonic()
            output = json.loads(self._run("bootimg", "build", str(self.base), "--json"))
            times.append(time.monotonic() - started)
            if not all(artifact["cached"] for artifact in output["artifacts"]):
                raise RuntimeError("the second build repeated work")
        note = f"median of {ROUNDS}"
        return Figure("second build, everything cached", sorted(times)[ROUNDS // 2], "s", 3, note)

    def memory(self) -> Figure:
        """The peak of all runs so far."""
        largest = sorted(self.peak.programs.items(), key=lambda item: -item[1])[:3]
        names = ", ".join(f"{name} {size / MIB:.0f}" for name, size in largest)
        note = f"{names}; of all processes at one time {self.peak.together / MIB:.0f}"
        return Figure("peak memory of one process, QEMU apart", largest[0][1] / MIB, "MiB", 150, note)

    def qcow2(self) -> Figure:
        """Our writer's time divided by qemu-img's for the same base disk, the best of each."""
        disk = next(self.cache.glob("bases/*/disk.raw"))
        ours = min(_time_ours(disk, self.folder / "ours.qcow2") for _ in range(ROUNDS))
        theirs = min(_time_qemu_img(disk, self.folder / "theirs.qcow2") for _ in range(ROUNDS))
        note = f"{ours:.2f} s with sha256 and fsync, qemu-img {theirs:.2f} s with fsync; best of {ROUNDS}"
        return Figure("qcow2 writer against qemu-img convert", ours / theirs, "ratio", None, note)

    @contextmanager
    def _cache_copy(self) -> Iterator[Path]:
        """A copy of the cache by hard links: bootimg replaces files and does not change them."""
        copy = self.folder / "copy"
        subprocess.run(["cp", "-al", self.cache, copy], check=True)
        try:
            yield copy
        finally:
            shutil.rmtree(copy)

    def _run(self, module: str, *arguments: str, **environment: str) -> bytes:
        argv = [sys.executable, "-m", module, *arguments]
        measured = run_measured(argv, self.environment | environment)
        self.peak.include(measured.peak)
        return measured.stdout


def _time_ours(disk: Path, out: Path) -> float:
    started = time.monotonic()
    with FileSource(disk) as source:
        write("qcow2", source, out, QCOW2)
    return _seconds_and_gone(started, out)


def _time_qemu_img(disk: Path, out: Path) -> float:
    started = time.monotonic()
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk, out], check=True)
    with out.open("rb") as handle:
        os.fsync(handle.fileno())
    return _seconds_and_gone(started, out)


def _seconds_and_gone(started: float, out: Path) -> float:
    seconds = time.monotonic() - started
    out.unlink()
    return seconds


def machine() -> dict[str, Any]:
    """What the figures depend on besides the program."""
    return {"cpus": os.cpu_count(), "load": [round(value, 2) for value in os.getloadavg()]}
