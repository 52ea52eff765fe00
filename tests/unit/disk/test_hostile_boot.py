"""Boot partitions and roots that somebody made to take memory, time or processes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bootimg import process
from bootimg.disk.bootpatch import BootEdits, make_patch, read_boot_files
from bootimg.disk.extents import FileSource
from bootimg.disk.unmounted import MOST, deployments
from bootimg.disk.xfsread import XfsImage
from bootimg.errors import BootimgError
from bootimg.sizes import MIB, TIB
from bootimg.untrusted.files import TEXT_LIMIT
from tests.unit.disk.test_bootpatch import ENTRY, LENGTH, START, make_disk, needs_e2fsprogs

pytestmark = needs_e2fsprogs
ENTRIES = "loader/entries"


def partition(folder: Path, files: dict[str, bytes], *commands: str) -> Path:
    """An ext4 with these files, on which debugfs has run these commands."""
    image = folder / "partition"
    for name, content in files.items():
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_bytes(content)
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    process.run(["mke2fs", "-q", "-t", "ext4", "-d", folder / "tree", image])
    process.run(["debugfs", "-w", "-f", "-", image], input="".join(f"{each}\n" for each in commands).encode())
    return image


def refusal(image: Path, scratch: Path) -> BootimgError:
    """What is said of the partition, read and edited."""
    ids = set()
    with FileSource(image) as source:
        for read in (
            lambda: read_boot_files(source, 0, source.size, scratch=scratch),
            lambda: make_patch(source, 0, source.size, BootEdits(("a",), ("x",), b"{}"), scratch=scratch),
        ):
            begin = time.monotonic()
            with pytest.raises(BootimgError) as caught:
                read()
            ids.add(caught.value.id)
            assert time.monotonic() - begin < 60
    assert len(ids) == 1
    return caught.value


@pytest.mark.parametrize(
    "path", ["/loader/entries/a.conf", "/grub2/console.cfg", "/coreos/platforms.json", "/ignition.firstboot"]
)
def test_a_sparse_file_of_a_terabyte_is_not_read(path: str, tmp_path: Path) -> None:
    names = (f"{ENTRIES}/a.conf", "grub2/console.cfg", "coreos/platforms.json", "ignition.firstboot")
    files = dict.fromkeys(names, ENTRY.encode())
    image = partition(tmp_path, files, f"set_inode_field {path} size {TIB}")
    with FileSource(image) as source, pytest.raises(BootimgError) as caught:
        read_boot_files(source, 0, source.size, scratch=tmp_path)
    assert caught.value.id == "boot-partition-oversized"
    assert str(TIB) in caught.value.message
    assert sum(path.stat().st_blocks for path in tmp_path.iterdir() if path != image) < 1000


def test_the_limit_is_that_of_every_small_file(tmp_path: Path) -> None:
    entry = ENTRY.encode()
    padded = entry + b"#" * (TEXT_LIMIT - len(entry))
    image = partition(tmp_path, {f"{ENTRIES}/a.conf": padded, f"{ENTRIES}/b.conf": entry})
    with FileSource(image) as source:
        found = read_boot_files(source, 0, source.size, scratch=tmp_path)
    assert len(found.entries["a.conf"]) == TEXT_LIMIT
    more = partition(tmp_path, {f"{ENTRIES}/a.conf": padded + b"#"})
    assert refusal(more, tmp_path).id == "boot-partition-oversized"


def test_thousands_of_entries_are_refused_and_a_hundred_take_a_few_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hundred = {f"{ENTRIES}/{each:04}.conf": ENTRY.encode() for each in range(100)}
    image = partition(tmp_path, {**hundred, "grub2/x": b""})
    started: list[str] = []
    spawn = process.spawn

    def counting(argv: list[str], **others: object) -> object:
        started.append(next(word for word in map(os.fspath, argv) if word.endswith("debugfs")))
        return spawn(argv, **others)  # type: ignore[arg-type]

    with FileSource(image) as source:
        monkeypatch.setattr(process, "spawn", counting)
        assert len(read_boot_files(source, 0, source.size, scratch=tmp_path).entries) == 100
    assert len(started) < 10
    monkeypatch.undo()
    thousands = {f"{ENTRIES}/more-{each:04}.conf": ENTRY.encode() for each in range(3000)}
    error = refusal(partition(tmp_path, thousands), tmp_path)
    assert (error.id, "3100" in error.message) == ("boot-partition-oversized", True)


def test_entries_that_boot_loaders_read_differently_are_shown_and_not_edited(tmp_path: Path) -> None:
    disk = make_disk(tmp_path, tmp_path / "tree", entry=f"{ENTRY}options root=/dev/evil\n", size=LENGTH)
    with pytest.raises(BootimgError) as caught:
        disk.patch(BootEdits(("a",)))
    assert caught.value.id == "boot-entry-malformed"
    with FileSource(disk.path) as source:
        assert read_boot_files(source, START, LENGTH, scratch=disk.scratch).entries


@pytest.mark.skipif(not process.find("mkfs.xfs"), reason="xfsprogs is not installed")
def test_an_xfs_with_thousands_of_deployments(tmp_path: Path) -> None:
    image = tmp_path / "root"
    with image.open("wb") as file:
        file.truncate(400 * MIB)
    lines = ["x", "0 0", "d--755 0 0", "ostree d--755 0 0", "deploy d--755 0 0"]
    for number in range(MOST + 1):
        lines += [f"os{number} d--755 0 0", "$"]
    protofile = tmp_path / "prototype"
    protofile.write_text("\n".join([*lines, "$", "$", "$", ""]))
    process.run(["mkfs.xfs", "-q", "-p", protofile, image])
    with pytest.raises(BootimgError) as caught:
        list(deployments(XfsImage(image)))
    assert caught.value.id == "deployments-too-many"
