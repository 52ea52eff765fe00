"""`python -m benchmarks platforms`: many artifacts of one build, from existing base disks."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.elapsed import Elapsed, measured
from benchmarks.figures import Figure
from benchmarks.memory import Measured, run_measured
from benchmarks.peer import Peer
from bootimg.arch import Arch
from bootimg.disk.extents import FileSource, copy_sparse, data_chunks
from bootimg.disk.gpt import read_gpt
from bootimg.formats import Compressor, Packing, write
from bootimg.formats.compression.gzipwrite import GzipCodec
from bootimg.formats.compression.parallel import processors
from bootimg.platform import platforms
from bootimg.sizes import GIB, MIB

EACH_FORMAT = ("metal", "qemu", "aws", "azure", "hyperv", "gcp", "vmware")
"""One platform of each format: raw, qcow2, vmdk, vhd, vhdx, tar.gz, ova."""
BOOT_PARTITION = 3
SIZES = (16 * GIB, 100 * GIB)
ROUNDS = 2
ENOUGH = 20.0
"""Seconds after which no further round starts."""
_VMDK: Mapping[str, str | bool] = {
    "adapter_type": "lsilogic",
    "compat6": True,
    "subformat": "streamOptimized",
}
GROWING: Sequence[tuple[str, str, Mapping[str, str | bool], Compressor]] = (
    ("qcow2", "qcow2", {}, Compressor.NONE),
    ("qcow2.gz", "qcow2", {}, Compressor.GZIP),
    ("vmdk", "vmdk", _VMDK, Compressor.NONE),
    ("raw.gz", "raw", {}, Compressor.GZIP),
)


@dataclass
class PlatformBench:
    """Builds of one layer with base disks in `cache`; missing base disks are made first.

    `chosen` are the platforms to compare, `size` is the size of cloud disks in bytes (None: the layer's).
    """

    folder: Path
    layer: Path
    cache: Path
    chosen: Sequence[str]
    size: int | None
    _base: list[Path] = field(default_factory=list)

    def figures(self, only: Sequence[str] = ()) -> Iterator[Figure]:
        """Measure one part after the other, or those of `only`."""
        parts: Mapping[str, Callable[[], Iterator[Figure]]] = {
            "peer": self.against_peer,
            "all": self.everything,
            "xz": self.xz,
            "added": self.added,
            "sizes": self.sizes,
        }
        for name, part in parts.items():
            if not only or name in only:
                yield from part()

    def against_peer(self) -> Iterator[Figure]:
        """The chosen platforms, compressed: one command against coreos-assembler's sequence."""
        base, size = self.base(), self.size or 4 * GIB
        with FileSource(base) as source:
            boot = read_gpt(source).span(BOOT_PARTITION)[0]
        peer = Peer(base, boot, size)
        with measured() as ours:
            self._timed("-p", ",".join(self.chosen), "--compress", "--size", str(size))
        yield Figure(f"{len(self.chosen)} artifacts, one command", ours.seconds, "s", None, str(ours))
        theirs = Elapsed()
        for name in self.chosen:
            with measured() as elapsed:
                peer.make(platforms()[name], self.folder)
            yield Figure(f"coreos-assembler's sequence: {name}", elapsed.seconds, "s", None, str(elapsed))
            theirs += elapsed
        note = f"{ours} against {theirs}; of CPU {ours.cpu / theirs.cpu:.2f}"
        name = f"{len(self.chosen)} artifacts against coreos-assembler's sequence"
        yield Figure(name, ours.seconds / theirs.seconds, "ratio", 1 / 5, note)

    def everything(self) -> Iterator[Figure]:
        """All platforms, compressed, and the peak memory."""
        self.base()
        # Not `all`: live media have figures of their own.
        arch = Arch.of_machine()
        names = (name for name, each in platforms().items() if arch in each.arches and each.buildable)
        done, seconds = self._timed("-p", ",".join(names), "--compress", *self._size())
        made = json.loads(done.stdout)["artifacts"]
        note = f"{len(made)} artifacts, {sum(each['size'] for each in made) / MIB:.0f} MiB"
        yield Figure("all platforms, compressed", seconds, "s", None, note)
        yield _memory("peak memory, all platforms, gzip", done)

    def xz(self) -> Iterator[Figure]:
        """The peak memory with xz, most of which the compressor takes."""
        self.base()
        done, _ = self._timed("-p", "qemu,metal", "--compressor", "xz", *self._size())
        yield _memory("peak memory, qemu and metal, xz", done)

    def added(self) -> Iterator[Figure]:
        """Each chosen platform's own time, one after the other, over the time to deflate the data once."""
        base = self.base()
        deflating = min(_deflate(base, self.folder / "deflated") for _ in range(ROUNDS))
        for name in self.chosen:
            with measured() as elapsed:
                done, _ = self._timed("-p", name, "--compress", "-j", "1", *self._size())
            [artifact] = [each for each in json.loads(done.stdout)["artifacts"] if each["key"] == name]
            seconds = float(artifact["seconds"])
            note = f"{seconds:.2f} s of {elapsed} for the command; deflating the data alone {deflating}"
            yield Figure(f"added: {name}, compressed", seconds / deflating.seconds, "ratio", 1.1, note)

    def sizes(self) -> Iterator[Figure]:
        """The same data in disks of 16 and of 100 GiB."""
        disks = [self.folder / f"{size}.raw" for size in SIZES]
        with FileSource(self.base()) as source:
            for disk, size in zip(disks, SIZES, strict=True):
                copy_sparse(source, disk)
                os.truncate(disk, size)
        for name, disk_format, options, compressor in GROWING:
            small, large = (_best(disk, disk_format, options, compressor) for disk in disks)
            note = f"{large} against {small}; of CPU {large.cpu / small.cpu:.2f}"
            ratio = large.seconds / small.seconds
            yield Figure(f"100 GiB against 16 GiB, {name}", ratio, "ratio", 1.05, note)

    def base(self) -> Path:
        """The base disk with 512-byte sectors, read once; if missing, both base disks are made."""
        if not self._base:
            output = self._timed("-p", "metal,metal4k", "--until", "base")[0].stdout
            self._base.append(Path(json.loads(output)["kept"]["base"]))
            with FileSource(self._base[0]) as source:
                for offset, length in data_chunks(source, 0, source.size, MIB):
                    source.read(offset, length)
        return self._base[0]

    def _size(self) -> Sequence[str]:
        return ("--size", str(self.size)) if self.size else ()

    def _timed(self, *words: str) -> tuple[Measured, float]:
        """`bootimg build` into an empty tree: its output, and its seconds from start to end."""
        builds = self.folder / "builds"
        own = ["--cache", str(self.cache), "-o", str(builds), "--json"]
        started = time.monotonic()
        done = run_measured(
            [sys.executable, "-m", "bootimg", "build", str(self.layer), *words, *own], os.environ
        )
        seconds = time.monotonic() - started
        shutil.rmtree(builds)
        return done, seconds


def _memory(name: str, done: Measured) -> Figure:
    largest = sorted(done.peak.programs.items(), key=lambda item: -item[1])[:3]
    note = ", ".join(f"{program} {size / MIB:.0f}" for program, size in largest)
    return Figure(name, done.peak.together / MIB, "MiB", 300, note)


def _deflate(disk: Path, out: Path) -> Elapsed:
    """The time of our gzip for a disk's data, without holes, on all processors, without any digest."""
    with measured() as elapsed, FileSource(disk) as source, out.open("wb") as file:

        def put(data: bytes) -> None:
            file.write(data)

        with GzipCodec(put, processors()) as codec:
            for offset, length in data_chunks(source, 0, source.size, MIB):
                codec.write(source.read(offset, length))
            codec.finish()
        file.flush()
        os.fsync(file.fileno())
    out.unlink()
    return elapsed


def _best(disk: Path, disk_format: str, options: Mapping[str, str | bool], compressor: Compressor) -> Elapsed:
    """The time to write a disk in a format, the best of some rounds."""
    out = disk.with_suffix(".out")
    rounds: list[Elapsed] = []
    while len(rounds) < ROUNDS and sum(each.seconds for each in rounds) < ENOUGH:
        with measured() as elapsed, FileSource(disk) as source:
            write(disk_format, source, out, options, None, Packing(compressor))
        out.unlink()
        rounds.append(elapsed)
    return min(rounds)
