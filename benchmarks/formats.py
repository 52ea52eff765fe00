"""`python -m benchmarks formats`: each writer against the program that makes the same file today.

Both start from the same raw file in the page cache, take turns, and end with a durable file and the digests
that meta.json needs.  Our writer computes them in its one pass; sha256sum reads the program's file (and, if
it is compressed, the disk).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure
from bootimg.disk.extents import FileSource, copy_sparse
from bootimg.formats import Compressor, Packing, write
from bootimg.formats.compression.parallel import processors
from bootimg.sizes import MIB, align_up

ENOUGH = 20.0
"""Seconds after which no further round starts."""
ROUNDS = 3


@dataclass(frozen=True)
class Contest:
    """One format: ours, and the peer's command (a shell's, with $1 the disk and $2 the result)."""

    name: str
    disk_format: str
    peer: str
    options: Mapping[str, str | bool] = field(default_factory=dict)
    compressor: Compressor = Compressor.NONE


_VMDK: Mapping[str, str | bool] = {
    "adapter_type": "lsilogic",
    "compat6": True,
    "subformat": "streamOptimized",
}
_CONVERT = 'qemu-img convert -f raw -O {} "$1" "$2"'
_TAR = 'tar --format=oldgnu --sparse -c -C "$(dirname "$1")" "$(basename "$1")" | gzip --no-name -9 > "$2"'
CONTESTS: Sequence[Contest] = (
    Contest("raw", "raw", 'cp --sparse=always "$1" "$2"'),
    Contest("qcow2", "qcow2", _CONVERT.format("qcow2 -o compat=1.1")),
    Contest("qcow2, compressed", "qcow2", _CONVERT.format("qcow2 -c"), {"compression": True}),
    Contest(
        "vmdk", "vmdk",
        _CONVERT.format("vmdk -c -o adapter_type=lsilogic,compat6,subformat=streamOptimized"), _VMDK,
    ),
    Contest("vhd", "vpc", _CONVERT.format("vpc -o subformat=fixed,force_size")),
    Contest("vhdx", "vhdx", _CONVERT.format("vhdx")),
    Contest("gcp tar.gz", "gcp", _TAR),
    Contest("raw.gz", "raw", 'gzip -6 -n -c "$1" > "$2"', compressor=Compressor.GZIP),
    Contest("raw.zst", "raw", f'zstd -q -10 -T{processors()} -c "$1" > "$2"', compressor=Compressor.ZSTD),
    Contest("raw.xz", "raw", f'xz -6 -T{processors()} -c "$1" > "$2"', compressor=Compressor.XZ),
)  # fmt: skip


@contextmanager
def prepared(disk: Path, folder: Path | None, size: int | None) -> Iterator[Path]:
    """A sparse copy of a disk, with a size that all formats support, read once."""
    with TemporaryDirectory(prefix="bootimg-formats-", dir=folder) as temporary:
        copy = Path(temporary) / "disk.raw"
        with FileSource(disk) as source:
            copy_sparse(source, copy)
        os.truncate(copy, align_up(max(size or 0, copy.stat().st_size), MIB))
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        yield copy


def disk_of_usr(path: Path) -> Path:
    """A raw disk of 1.5 GiB with programs and libraries of this machine, as far as they fit."""
    path.touch()
    os.truncate(path, 1536 * MIB)
    with TemporaryDirectory(prefix="bootimg-usr-") as folder:
        _copy_files([Path("/usr/lib"), Path("/usr/bin"), Path("/usr/share")], Path(folder), 1200 * MIB)
        subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", folder, path], check=True)
    return path


def _copy_files(trees: Sequence[Path], to: Path, most: int) -> None:
    left = most
    for number, file in enumerate(_files(trees)):
        size = file.stat().st_size
        if size <= left:
            left -= size
            (to / str(number // 500)).mkdir(exist_ok=True)
            shutil.copyfile(file, to / str(number // 500) / str(number))


def _files(trees: Sequence[Path]) -> Iterator[Path]:
    for tree in trees:
        for path in sorted(tree.rglob("*")):
            if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                yield path


def figures(disk: Path, only: Sequence[str] = ()) -> Iterator[Figure]:
    """The ratio of the times for each format; `disk` is a raw file in a separate folder."""
    for contest in CONTESTS:
        if not only or contest.name in only:
            yield _figure(contest, disk)


def _figure(contest: Contest, disk: Path) -> Figure:
    ours, theirs = disk.with_name("ours"), disk.with_name("theirs")
    mine: list[Run] = []
    other: list[Run] = []
    while len(mine) < ROUNDS and sum(run.seconds for run in mine + other) < ENOUGH:
        mine.append(_run_ours(contest, disk, ours))
        other.append(_run_theirs(contest, disk, theirs))
    best, peer = min(mine), min(other)
    note = f"{best}, the program {peer}; size ratio {best.size / peer.size:.3f}; best of {len(mine)}"
    for path in (ours, theirs):
        path.unlink()
    name = f"{contest.name} against `{contest.peer.split()[0]}`"
    return Figure(name, best.seconds / peer.seconds, "ratio", None, note)


@dataclass(frozen=True, order=True)
class Run:
    """One file made: wall clock and CPU seconds (threads and programs included), bytes on the disk."""

    seconds: float
    cpu: float
    size: int

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.cpu:.2f} s CPU) for {self.size / MIB:.0f} MiB"


@contextmanager
def _measured(out: Path, into: list[Run]) -> Iterator[None]:
    started, before = time.monotonic(), os.times()
    yield
    seconds, after = time.monotonic() - started, os.times()
    into.append(Run(seconds, sum(after[:4]) - sum(before[:4]), out.stat().st_blocks * 512))


def _run_ours(contest: Contest, disk: Path, out: Path) -> Run:
    runs: list[Run] = []
    with _measured(out, runs), FileSource(disk) as source:
        write(contest.disk_format, source, out, contest.options, None, Packing(contest.compressor))
    return runs[0]


def _run_theirs(contest: Contest, disk: Path, out: Path) -> Run:
    runs: list[Run] = []
    with _measured(out, runs):
        subprocess.run(["/bin/sh", "-c", contest.peer, "sh", str(disk), str(out)], check=True)
        with out.open("rb") as handle:
            os.fsync(handle.fileno())
        hashed = [out] if contest.compressor is Compressor.NONE else [disk, out]
        subprocess.run(["sha256sum", *hashed], check=True, stdout=subprocess.DEVNULL)
    return runs[0]
