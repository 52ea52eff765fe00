"""The ESP: mkfs.fat and mtools write it to a file, without a mount."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bootimg import process
from bootimg.disk.filesystems import mkfs_argv
from bootimg.disk.native.content import read_content
from bootimg.errors import BootimgError
from bootimg.manifest.recipe import Fat
from bootimg.sysroot.entries import Entry, Kind

MTOOLS, DOSFSTOOLS = "mtools", "dosfstools"


def make_esp(image: Path, options: Fat, entries: Sequence[Entry], *, start: int, sector_size: int,
             epoch: int) -> None:  # fmt: skip
    """Make the file system in `image`, a file of its size, with the entries in it.

    `start` is the partition's first sector, which FAT records; `epoch` (seconds) becomes all times.
    Raises `boot-filesystem-damaged` if something reads back different or fsck.fat complains.
    """
    program = process.require("mkfs.fat", packages=DOSFSTOOLS)
    _, *switches = mkfs_argv(options, image.name)
    pinned = ["--invariant", "-h", str(start), "-S", str(sector_size)]
    process.run([program, *pinned, *switches], cwd=image.parent, env=_environment(epoch), timeout=120)
    with tempfile.TemporaryDirectory(dir=image.parent, prefix=f".{image.name}.") as name:
        _copy(image, Path(name), entries, epoch)
        _check(image, Path(name), entries, epoch)


def _environment(epoch: int) -> dict[str, str]:
    """mtools without the user's configuration, in UTC and at one time."""
    # mtools reads the file .mtoolsrc in HOME, whatever MTOOLSRC says.
    return {
        "SOURCE_DATE_EPOCH": str(epoch),
        "TZ": "UTC",
        "HOME": os.devnull,
        "MTOOLSRC": os.devnull,
        "MTOOLS_SKIP_CHECK": "1",
    }


def _mtools(argv: Sequence[process.Argument], folder: Path, epoch: int) -> None:
    program = process.require(os.fspath(argv[0]), packages=MTOOLS)
    process.run([program, *argv[1:]], cwd=folder, env=_environment(epoch), timeout=120)


def _copy(image: Path, folder: Path, entries: Sequence[Entry], epoch: int) -> None:
    """Make the directories in their order, then copy the files of each at once."""
    made = [_inside(entry) for entry in entries if entry.kind is Kind.DIRECTORY and entry.path]
    if made:
        _mtools(["mmd", "-i", image, *made], folder, epoch)
    files: dict[str, list[Path]] = defaultdict(list)
    for number, entry in enumerate(each for each in entries if each.kind is Kind.FILE):
        parent, _, name = entry.path.decode().rpartition("/")
        source = folder / "in" / str(number) / name
        source.parent.mkdir(parents=True)
        source.write_bytes(read_content(entry))
        # mcopy -m keeps the source's time.
        os.utime(source, (epoch, epoch))
        files[parent].append(source)
    for parent, sources in files.items():
        _mtools(["mcopy", "-m", "-i", image, *sources, f"::/{parent}"], folder, epoch)


def _inside(entry: Entry) -> str:
    return f"::/{entry.path.decode()}"


def _check(image: Path, folder: Path, entries: Sequence[Entry], epoch: int) -> None:
    target = folder / "out"
    target.mkdir()
    _mtools(["mcopy", "-s", "-n", "-i", image, "::/*", target], folder, epoch)
    found = {os.fspath(path.relative_to(target)): path for path in target.rglob("*")}
    wanted = {entry.path.decode(): entry for entry in entries if entry.path}
    wrong = sorted(found.keys() ^ wanted.keys())
    wrong += [path for path in found.keys() & wanted.keys() if not _same(found[path], wanted[path])]
    done = process.run(["fsck.fat", "-n", image.name], cwd=image.parent, check=False, timeout=120)
    if wrong or done.returncode:
        raise BootimgError(
            "boot-filesystem-damaged",
            "the EFI system partition differs from what was written",
            context=[*wrong[:8], *done.stdout.decode(errors="replace").strip().splitlines()[-8:]],
            hint="please report it; `--deploy own` makes the disk another way",
        )


def _same(path: Path, entry: Entry) -> bool:
    if entry.kind is Kind.DIRECTORY:
        return path.is_dir()
    return path.is_file() and path.read_bytes() == read_content(entry)
