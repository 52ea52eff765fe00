"""What is on a base disk, as the kernel and mtools read it, and how two disks may differ."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.builds.readback import Table
from tests.integration.builds.test_disk import mounted, output
from tests.support.layers.ostreedeploy import Facts, facts_of_folder

ESP, BOOT, ROOT = 2, 3, 4
"""The partitions' numbers."""
OPTIONS = {BOOT: "ro,noload", ROOT: "ro,norecovery,nouuid"}
DAY = 24 * 3600 * 10**9


@contextmanager
def mounted_partition(
    disk: Path, sector: int, number: int, folder: Path, options: str = ""
) -> Iterator[Path]:
    """A partition of a raw disk, mounted; read-only unless there are other options."""
    start, size = Table.of(disk, sector).spans[number]
    options = options or OPTIONS[number]
    readonly = ["--read-only"] if options.startswith("ro") else []
    device = output(
        "losetup", "--find", "--show", *readonly, "-o", str(start), "--sizelimit", str(size), disk
    ).strip()
    try:
        with mounted(device, options, folder) as found:
            yield found
    finally:
        output("losetup", "--detach", device)


@dataclass(frozen=True)
class DiskFacts:
    """The names of a disk's file systems and what they stand for.

    `entry` is the text of the boot entry; `made` is when the disk was finished, in nanoseconds.
    """

    root: dict[str, Facts]
    boot: dict[str, Facts]
    esp: dict[str, bytes | None]
    entry: str
    made: int


def facts_of_disk(disk: Path, sector: int, folder: Path) -> DiskFacts:
    """Read a raw disk with sectors of this size; `folder` is made for the mounts."""
    folder.mkdir()
    with mounted_partition(disk, sector, ROOT, folder / "root") as root:
        root_facts = facts_of_folder(root)
    with mounted_partition(disk, sector, BOOT, folder / "boot") as boot:
        boot_facts = facts_of_folder(boot)
        [entry] = boot.glob("loader/entries/*.conf")
        text = entry.read_text()
    esp = facts_of_esp(disk, sector, folder / "esp")
    return DiskFacts(root_facts, boot_facts, esp, text, disk.stat().st_mtime_ns)


def facts_of_esp(disk: Path, sector: int, folder: Path) -> dict[str, bytes | None]:
    """The files of the ESP with their content; directories are None."""
    folder.mkdir()
    start, _ = Table.of(disk, sector).spans[ESP]
    output("mcopy", "-s", "-n", "-i", f"{disk}@@{start}", "::/*", folder)
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def unexplained(
    theirs: Mapping[str, Facts], ours: Mapping[str, Facts], *, now: int, made: int
) -> dict[str, set[str]]:
    """The names that differ, by what differs, but for times of the clock that are the recipe's `now` with us.

    `made` is when the other disk was finished.
    """
    found: dict[str, set[str]] = {"names": theirs.keys() ^ ours.keys()}
    for name in theirs.keys() & ours.keys():
        for key in theirs[name].keys() | ours[name].keys():
            one, other = theirs[name].get(key), ours[name].get(key)
            by_clock = key == "mtime" and other == now and made - DAY < theirs[name]["mtime"] < made + DAY
            if one != other and not by_clock:
                found.setdefault(key, set()).add(name)
    return {key: names for key, names in found.items() if names}
