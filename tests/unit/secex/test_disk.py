"""The whole disk, put together around a stand-in for the encrypted image, and read by others."""

from __future__ import annotations

from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from bootimg import process
from bootimg.disk.extents import FileSource, copy_sparse
from bootimg.disk.gpt import Gpt, Partition, read_gpt, write_gpt
from bootimg.disk.zipl.read import has_zipl, read_zipl
from bootimg.errors import BootimgError
from bootimg.secex.disk import SecureDisk
from bootimg.secex.layout import SE, secure_table
from bootimg.sizes import GIB, MIB
from tests.support.arches.pvimg import SeenPvimg, stand_in_image
from tests.support.arches.zipldisks import LENGTH, OPTIONS, START, make_zipl_disk, stage3
from tests.unit.disk.test_native_base import require_native

ROOT = 8 * MIB


@pytest.fixture
def pvimg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SeenPvimg:
    require_native()
    found = SeenPvimg(tmp_path / "seen")
    found.install()
    monkeypatch.setenv("PATH", f"{found.programs}:/usr/sbin:/usr/bin:/sbin:/bin")
    return found


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base disk with a boot partition for zipl, and a root that is no file system."""
    (tmp_path / "base").mkdir()
    disk = make_zipl_disk(tmp_path / "base").path
    boot = Partition(3, "boot", UUID(int=3), UUID(int=33), START // 512, LENGTH // 512)
    root = Partition(4, "root", UUID(int=4), UUID(int=44), boot.last + 1, ROOT // 512)
    write_gpt(disk, Gpt(UUID(int=1), root.last + 2049, (boot, root)))
    with disk.open("r+b") as file:
        file.seek(START + LENGTH + 3 * MIB)
        file.write(Random(1).randbytes(MIB))
    return disk


def made(base: Path, folder: Path, entry: str = "1") -> Path:
    """A copy of the assembled disk."""
    scratch, found = folder / "scratch", folder / "made"
    scratch.mkdir()
    with FileSource(base) as source:
        disk = SecureDisk(
            source=source,
            layer_digest="sha256:1",
            stage3=stage3(),
            entry=entry,
            host_keys=[folder / "host.crt"],
            private_key=b"private",
            size=GIB,
            epoch=1_700_000_000,
        )
        with disk.assembled(scratch) as assembled:
            copy_sparse(assembled, found)
    return found


def test_the_disk_is_whole(base: Path, pvimg: SeenPvimg, tmp_path: Path) -> None:
    disk = made(base, tmp_path)
    assert disk.stat().st_size == GIB
    with FileSource(disk) as source, FileSource(base) as before:
        table, old = read_gpt(source), read_gpt(before)
        assert table == secure_table(old, "sha256:1")
        for number in (3, 4):
            assert source.read(*table.span(number)) == before.read(*old.span(number))
        for name, data, tree in (("bootfs", 3, 5), ("rootfs", 4, 6)):
            files = [tmp_path / f"part-{number}" for number in (data, tree)]
            for number, path in zip((data, tree), files, strict=True):
                start, length = table.span(number)
                copy_sparse(source, path, offset=start, length=length)
            if process.find("veritysetup"):
                process.run(["veritysetup", "verify", *files, pvimg.kernel_arguments[f"{name}.roothash"]])
    words = (tmp_path / "seen/parmfile").read_text().split()
    assert words[: len(OPTIONS.split()) + 1] == [*OPTIONS.split(), "ignition.firstboot"]
    assert pvimg.ramdisk.startswith(bytes(range(1, 251)) * 2500)


def test_the_record_leads_to_the_image_and_to_nothing_else(
    base: Path, pvimg: SeenPvimg, tmp_path: Path
) -> None:
    disk = made(base, tmp_path)
    with FileSource(disk) as source:
        start, length = read_gpt(source).span(SE)
        assert has_zipl(source)
        found = read_zipl(source, 512, start, length)
        loaded = b"".join(source.read(piece.offset, piece.length) for piece in found.kernel)
        copy_sparse(source, tmp_path / "se", offset=start, length=length)
    assert found.stage3 == stage3()
    assert loaded[: found.kernel_size] == pvimg.image == stand_in_image()
    assert (found.initramfs, found.initramfs_size, found.arguments) == ((), 0, b"")
    process.run(["e2fsck", "-fn", tmp_path / "se"])
    process.run(["debugfs", "-R", f"dump /sdboot {tmp_path / 'sdboot'}", tmp_path / "se"])
    assert (tmp_path / "sdboot").read_bytes() == pvimg.image


def test_an_image_that_is_too_large_is_refused(base: Path, pvimg: SeenPvimg, tmp_path: Path) -> None:
    (pvimg.folder / "stand-in").write_bytes(stand_in_image(size=190 * MIB))
    with pytest.raises(BootimgError) as caught:
        made(base, tmp_path)
    assert caught.value.id == "secure-image-too-large"


def test_a_kernel_that_is_not_there_is_refused(base: Path, pvimg: SeenPvimg, tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        made(base, tmp_path, entry="7")
    assert caught.value.id == "boot-entry-missing"
