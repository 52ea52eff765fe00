"""/boot written without a mount: ext4 by mke2fs and debugfs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.extents import FileSource, copy_sparse
from bootimg.disk.native import ext4fill
from bootimg.disk.native.ext4 import make_ext4
from bootimg.disk.native.ext4fill import fill_ext4
from bootimg.disk.zipl.blocks import BootPartition
from bootimg.errors import BootimgError
from bootimg.manifest.recipe import Ext4
from bootimg.sysroot.entries import Entry, HostFile, Kind, directory, symlink, text, with_label
from bootimg.sysroot.unsupported import NativeUnsupportedError

pytestmark = pytest.mark.skipif(not shutil.which("debugfs"), reason="e2fsprogs is not installed")

EPOCH = 1_700_000_000
NOW = EPOCH * 10**9
LABEL = "system_u:object_r:boot_t:s0"
OPTIONS = Ext4(3, "96d15588-3596-4b3c-adca-a2ff7279ea63", "boot", metadata_csum_seed=True)


def make(path: Path, entries: list[Entry], *, sector_size: int = 512, mib: int = 64) -> Path:
    with path.open("wb") as file:
        file.truncate(mib << 20)
    make_ext4(path, OPTIONS, sector_size=sector_size, epoch=EPOCH)
    fill_ext4(path, entries, epoch=EPOCH)
    return path


def tree(folder: Path) -> list[Entry]:
    """Some of all that /boot has; two files have their content in files of this machine."""
    (folder / "kernel").write_bytes(b"head" + b"k" * 300_000)
    kernel = replace(text("ostree/v", b"", NOW, 0o755), size=300_000, content=HostFile(f"{folder}/kernel", 4))
    whole = replace(text("ostree/w", b"", NOW), size=300_004, content=HostFile(f"{folder}/kernel"))
    entries = [
        directory("", 0o755, NOW),
        directory("lost+found", 0o700, NOW),
        symlink("boot", ".", NOW),
        symlink("long", "x" * 500, NOW),
        symlink("slashes", "./a//b/", NOW),
        directory("ostree", 0o750, NOW),
        kernel,
        whole,
        replace(text("ostree/odd name; é", b"x", NOW - 10**9, 0o640), uid=12, gid=70_000),
        text("empty", b"", NOW),
        directory("grub2", 0o755, NOW),
        *(text(f"grub2/module-{number}.mod", b"%d" % number, NOW) for number in range(300)),
    ]
    return [with_label(entry, LABEL) for entry in entries]


def stat_of(image: Path, path: str) -> str:
    done = subprocess.run(["debugfs", "-R", f'stat "{path}"', image], capture_output=True, check=True)
    return done.stdout.decode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """/boot of 384 MiB by its sector size, made once: it is only read."""

    def make_once(sector_size: int) -> Path:
        folder = tmp_path_factory.mktemp("made")
        return make(folder / "image", tree(folder), sector_size=sector_size, mib=384)

    return cache(make_once)


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_what_is_written_is_there(sector_size: int, made: Callable[[int], Path]) -> None:
    image = made(sector_size)
    found = Ext4Image(image)
    found.check_clean()
    assert found.content("/ostree/v") == b"k" * 300_000
    assert found.content("/ostree/w") == b"head" + b"k" * 300_000
    odd = found.inode("/ostree/odd name; é")
    assert odd is not None
    assert (odd.mode, odd.uid, odd.gid) == (0o100640, 12, 70_000)
    assert {found.label(path) for path in ("/", "/lost+found", "/boot", "/ostree/v")} == {LABEL}
    assert len(found.listing("/grub2")) == 300
    assert 'Fast link dest: "."' in stat_of(image, "/boot")
    assert 'Fast link dest: "./a//b/"' in stat_of(image, "/slashes")
    block = subprocess.run(["dumpe2fs", "-h", image], capture_output=True, check=True).stdout.decode()
    assert f"Block size:               {1024 if sector_size == 512 else 4096}" in block
    assert f"Directory Hash Seed:      {OPTIONS.uuid}" in block


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_a_dense_file_system_has_no_holes(sector_size: int, tmp_path: Path) -> None:
    content = b"k" * 5000 + bytes(50_000) + b"k" * 5000 + bytes(50_000)
    path = tmp_path / "image"
    path.touch()
    os.truncate(path, 64 << 20)
    make_ext4(path, OPTIONS, sector_size=sector_size, epoch=EPOCH)
    files = [text("zeros; é", content, NOW), text("short", bytes(10), NOW)]
    folders = [directory("", 0o755, NOW), directory("lost+found", 0o700, NOW)]
    fill_ext4(path, [*folders, *files], epoch=EPOCH, dense=True)
    partition = BootPartition(Ext4Image(path), 0, 512)
    block = max(1024, sector_size)
    for file in files:
        runs = partition.runs(f"/{file.path.decode()}")
        assert all(run.sector for run in runs)
        assert sum(run.count for run in runs) * 512 == -(-file.size // block) * block


def test_all_times_are_the_recipe_s(made: Callable[[int], Path]) -> None:
    image = made(512)
    for path in ("/", "/boot", "/ostree", "/ostree/v", "/lost+found"):
        lines = [line for line in stat_of(image, path).splitlines() if "time: " in line]
        assert len(lines) == 4
        assert all(f"0x{EPOCH:08x}" in line for line in lines), (path, lines)
    assert f"mtime: 0x{EPOCH - 1:08x}" in stat_of(image, "/ostree/odd name; é")


def test_the_same_entries_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(tmp_path / "image", tree(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    configuration = tmp_path / "mke2fs.conf"
    configuration.write_text("[defaults]\nblocksize = 4096\ninode_size = 128\n")
    monkeypatch.setenv("MKE2FS_CONFIG", str(configuration))
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    other = make(tmp_path / "elsewhere/another", tree(tmp_path))
    assert sha256(first.read_bytes()).digest() == sha256(other.read_bytes()).digest()


@pytest.mark.parametrize("path", ['a"b', "a\nb", "a\rb"])
def test_names_that_debugfs_cannot_take_are_left_to_the_appliance(path: str, tmp_path: Path) -> None:
    with pytest.raises(NativeUnsupportedError, match="name"):
        make(tmp_path / "image", [directory("", 0o755, NOW), text(path, b"", NOW)])


def test_only_plain_files_are_written(tmp_path: Path) -> None:
    whiteout = Entry(path=b"w", kind=Kind.WHITEOUT, mode=0o600)
    other = replace(text("x", b"", NOW), xattrs=((b"user.x", b"y"),))
    for entry in (whiteout, other):
        with pytest.raises(NativeUnsupportedError, match="plain file"):
            make(tmp_path / "image", [directory("", 0o755, NOW), entry])


def test_a_full_file_system_is_an_error(tmp_path: Path) -> None:
    large = text("large", b"x" * (60 << 20), NOW)
    with pytest.raises(BootimgError) as error:
        make(tmp_path / "image", [directory("", 0o755, NOW), large])
    assert error.value.id in ("boot-edit-failed", "boot-filesystem-damaged")


@pytest.mark.parametrize(
    "lost", [b"write content", b'set_inode_field "b" uid', b"ea_set", b'symlink "x"', b'mkdir "d"']
)
def test_a_command_that_debugfs_did_not_carry_out_is_noticed(
    lost: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(folder: Path, lines: list[bytes], epoch: int) -> bytes:
        return run(folder, [line for line in lines if not line.startswith(lost)], epoch)

    run = ext4fill._debugfs
    monkeypatch.setattr(ext4fill, "_debugfs", without)
    entries = [
        directory("", 0o755, NOW),
        directory("d", 0o755, NOW),
        symlink("x", "y", NOW),
        replace(with_label(text("b", b"hello", NOW), LABEL), uid=3),
    ]
    with pytest.raises(BootimgError) as error:
        make(tmp_path / "image", entries)
    assert error.value.id == "boot-edit-failed"


@pytest.mark.parametrize(("sector_size", "backup"), ((512, 221185), (4096, 32768)))
def test_the_backups_tell_of_what_was_written(
    sector_size: int, backup: int, made: Callable[[int], Path], tmp_path: Path
) -> None:
    """With the first superblock and its descriptors gone, e2fsck mends the file system by a backup."""
    image = tmp_path / "image"
    with FileSource(made(sector_size)) as source:
        copy_sparse(source, image)
    done = subprocess.run(["dumpe2fs", "-h", image], capture_output=True, check=True)
    assert b"Lifetime writes" not in done.stdout
    block = max(1024, sector_size)
    # The superblock of a file system with blocks of 1024 bytes is in block 1.
    descriptors = 2 if block == 1024 else 1
    with image.open("r+b") as file:
        file.seek(descriptors * block)
        primary = file.read(64)
        file.seek((backup + 1) * block)
        assert file.read(64) == primary
        file.seek(0)
        file.write(bytes((descriptors + 1) * block))
    mended: list[str | Path] = ["e2fsck", "-fy", "-b", str(backup), "-B", str(block), image]
    assert subprocess.run(mended, capture_output=True, check=False).returncode == 1
    done = subprocess.run(["e2fsck", "-fn", image], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()
    assert Ext4Image(image).content("/grub2/module-7.mod") == b"7"
