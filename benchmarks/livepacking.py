"""`python -m benchmarks live`: osmet files and minimal ISOs against `coreos-installer pack`, natively.

Both get the checksum of the disk, as coreos-assembler computes it apart.  They take turns, and the best of
each counts.  The program mounts the disk's partitions and needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from hashlib import file_digest
from pathlib import Path

from benchmarks.elapsed import Elapsed, measured_settled
from benchmarks.figures import ROUNDS, Figure
from benchmarks.memory import run_measured
from bootimg.disk.extents import FileSource, write_fully
from bootimg.disk.gpt import read_gpt
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.liveiso import Part
from bootimg.live.miniso.pack import pack_miniso
from bootimg.live.osmet.pack import pack_osmet
from bootimg.sizes import MIB
from bootimg.sysroot.entries import HostFile
from tests.integration.boots.test_installer import attached, run
from tests.layer import tools
from tests.support.live.liveiso import live_iso, write

_MEMORY_AIM = 300
_KERNEL, _INITRD, _ROOTFS = 12 * MIB, 96 * MIB, 256 * MIB
"""The sizes of the ISO's files; their content is the disk's first part."""


def figures(disk: Path, folder: Path) -> Iterator[Figure]:
    """Measure with a metal image, in a temporary folder."""
    installer = tools.program("coreos-installer")
    yield from _osmet(installer, disk, folder)
    yield _minimal(installer, disk, folder)


def _osmet(installer: Path, disk: Path, folder: Path) -> Iterator[Figure]:
    with disk.open("rb") as file, FileSource(disk) as source:
        checksum, sector = file_digest(file, "sha256").hexdigest(), read_gpt(source).sector_size
    ours, theirs = folder / "ours.osmet", folder / "theirs.osmet"
    described = ["--description", "A layer", "--checksum", checksum, "--output", str(theirs)]
    rounds, peak = [], 0
    for _ in range(ROUNDS):
        with measured_settled() as mine:
            peak = max(peak, _own(str(disk), str(ours), checksum))
        with attached(disk, sector, "--read-only") as device:
            subprocess.run(["partx", "--update", device], check=True)
            with measured_settled() as other:
                run(installer, device, "pack", "osmet", device, *described).check_returncode()
        rounds.append((mine, other))
    size = f"{ours.stat().st_size / MIB:.2f} MiB against {theirs.stat().st_size / MIB:.2f} MiB"
    yield _ratio("osmet against `coreos-installer pack osmet`", rounds, size)
    note = "the program and all that it starts"
    yield Figure("peak memory of packing an osmet file", peak / MIB, "MiB", _MEMORY_AIM, note)


def _minimal(installer: Path, disk: Path, folder: Path) -> Figure:
    made = live_iso(
        kernel=Part(HostFile(str(disk), MIB), _KERNEL),
        initrd=Part(HostFile(str(disk), MIB), _INITRD),
        rootfs=Part(HostFile(str(disk), 0), _ROOTFS),
    )
    full = write(made.layout(), folder / "full.iso").path
    minimal = write(made.minimal_layout(), folder / "minimal.iso").path
    other = Path(shutil.copy(full, folder / "other.iso"))
    rounds = []
    for _ in range(ROUNDS):
        with measured_settled() as mine:
            pack_minimal(full, minimal)
        with measured_settled() as theirs:
            subprocess.run(
                [installer, "pack", "minimal-iso", other, minimal], check=True, capture_output=True
            )
        rounds.append((mine, theirs))
    return _ratio(
        "minimal ISO against `coreos-installer pack minimal-iso`",
        rounds,
        "in a process that runs, as in a build",
    )


def _ratio(name: str, rounds: Sequence[tuple[Elapsed, Elapsed]], more: str) -> Figure:
    ours, theirs = (min(each) for each in zip(*rounds, strict=True))
    cpu = f"of CPU {ours.cpu / theirs.cpu:.2f}"
    note = f"{ours} against {theirs}, {cpu}; {more}; best of {len(rounds)}"
    return Figure(name, ours.seconds / theirs.seconds, "ratio", 0.5, note)


def _own(*arguments: str) -> int:
    """Pack in a process of its own; returns its peak memory in bytes."""
    argv = [sys.executable, "-m", "benchmarks.livepacking", *arguments]
    return run_measured(argv, dict(os.environ)).peak.together


def pack_minimal(full: Path, minimal: Path) -> None:
    """Pack a minimal ISO into its full ISO."""
    with FileSource(full) as source, FileSource(minimal) as other:
        change = pack_miniso(IsoImage(source), IsoImage(other))
    fd = os.open(full, os.O_WRONLY | os.O_CLOEXEC)
    try:
        write_fully(fd, change.data, change.offset)
    finally:
        os.close(fd)


def main(disk: str, out: str, checksum: str) -> None:
    """Pack an osmet file."""
    with FileSource(Path(disk)) as source:
        pack_osmet(source, Path(out), description="A layer", architecture="x86_64", checksum=lambda: checksum)


if __name__ == "__main__":
    main(*sys.argv[1:])
