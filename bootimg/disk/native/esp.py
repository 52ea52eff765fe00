"""The ESP: mkfs.fat and mtools write it to a file, without a mount."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bootimg import process
from bootimg.atomic import set_times
from bootimg.disk.filesystems import mkfs_argv
from bootimg.disk.native.content import read_content
from bootimg.disk.native.mtools import environment, run_mtools
from bootimg.errors import BootimgError
from bootimg.manifest.recipe import Fat
from bootimg.sysroot.entries import Entry, Kind

DOSFSTOOLS = "dosfstools"


def make_esp(image: Path, options: Fat, entries: Sequence[Entry], *, start: int, sector_size: int,
             epoch: int) -> None:  # fmt: skip
    """Make the file system in `image`, a file of its size, with the entries in it.

    `start` is the partition's first sector, which FAT records; `epoch` (seconds) becomes all times.
    Raises `boot-filesystem-damaged` if something reads back different or fsck.fat complains.
    """
    program = process.require("mkfs.fat", packages=DOSFSTOOLS)
    _, *switches = mkfs_argv(options, image.name)
    pinned = ["--invariant", "-h", str(start), "-S", str(sector_size)]
    process.run([program, *pinned, *switches], cwd=image.parent, env=environment(epoch), timeout=120)
    with tempfile.TemporaryDirectory(dir=image.parent, prefix=f".{image.name}.") as name:
        _copy(image, Path(name), entries, epoch)
        _check(image, Path(name), entries, epoch)


def _copy(image: Path, folder: Path, entries: Sequence[Entry], epoch: int) -> None:
    """Make the directories in their order, then copy the files of each at once."""
    made = [_inside(entry) for entry in entries if entry.kind is Kind.DIRECTORY and entry.path]
    if made:
        run_mtools(["mmd", "-i", image, *made], folder, epoch)
    files: dict[str, list[Path]] = defaultdict(list)
    for number, entry in enumerate(each for each in entries if each.kind is Kind.FILE):
        parent, _, name = entry.path.decode().rpartition("/")
        source = folder / "in" / str(number) / name
        source.parent.mkdir(parents=True)
        source.write_bytes(read_content(entry))
        # mcopy -m keeps the source's time.
        set_times(source, epoch)
        files[parent].append(source)
    for parent, sources in files.items():
        run_mtools(["mcopy", "-m", "-i", image, *sources, f"::/{parent}"], folder, epoch)


def _inside(entry: Entry) -> str:
    return f"::/{entry.path.decode()}"


def _check(image: Path, folder: Path, entries: Sequence[Entry], epoch: int) -> None:
    target = folder / "out"
    target.mkdir()
    run_mtools(["mcopy", "-s", "-n", "-i", image, "::/*", target], folder, epoch)
    found = {os.fspath(path.relative_to(target)): path for path in target.rglob("*")}
    wanted = {entry.path.decode(): entry for entry in entries if entry.path}
    wrong = sorted(found.keys() ^ wanted.keys())
    wrong += [path for path in found.keys() & wanted.keys() if not _same(found[path], wanted[path])]
    errors = fsck_errors(image)
    if wrong or errors is not None:
        raise BootimgError(
            "boot-filesystem-damaged",
            "the EFI system partition differs from what was written",
            context=[*wrong[:8], *(errors or "").strip().splitlines()[-8:]],
            hint="please report it; `--deploy appliance` makes the disk another way",
        )


def fsck_errors(image: Path) -> str | None:
    """What fsck.fat prints about a file system that has faults; None if it has none.  Nothing is changed."""
    program = process.require("fsck.fat", packages=DOSFSTOOLS)
    done = process.run([program, "-n", image.name], cwd=image.parent, check=False, timeout=120)
    return done.stdout.decode(errors="replace") if done.returncode else None


def _same(path: Path, entry: Entry) -> bool:
    if entry.kind is Kind.DIRECTORY:
        return path.is_dir()
    return path.is_file() and path.read_bytes() == read_content(entry)
