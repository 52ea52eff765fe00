"""zipl's records: written as zipl writes them, read back by a reader of its own, refused where damaged."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.checks.ziplrules import zipl_findings
from bootimg.disk.blsentry import bls_entry
from bootimg.disk.bootpatch import partition_copy
from bootimg.disk.extents import FileSource
from bootimg.disk.zipl.addresses import choose_addresses
from bootimg.disk.zipl.blocks import BootPartition
from bootimg.disk.zipl.describe import describe_zipl
from bootimg.disk.zipl.format import Run, joined, segment_tables
from bootimg.disk.zipl.read import ZiplBoot, has_zipl, read_zipl
from bootimg.disk.zipl.signature import unsigned_length
from bootimg.disk.zipl.stage3 import known_stage3, layer_stage3
from bootimg.errors import BootimgError
from tests.support.arches.zipldisks import (
    ENTRY,
    FIRSTBOOT,
    LENGTH,
    OPTIONS,
    START,
    ZiplDisk,
    kernel,
    make_zipl_disk,
    stage3,
)
from tests.support.layers import oci
from tests.unit.layer.test_declares import tree_of

ARGUMENTS = f"{OPTIONS} ignition.platform.id=qemu {FIRSTBOOT}"
needs_e2fsprogs = pytest.mark.skipif(
    not (process.find("debugfs") and process.find("mke2fs")), reason="e2fsprogs is not installed"
)


def read(disk: ZiplDisk) -> ZiplBoot:
    with FileSource(disk.path) as source:
        return read_zipl(source, disk.sector, START, LENGTH)


def described(disk: ZiplDisk, entry: str = ENTRY) -> dict[str, Any]:
    with (
        FileSource(disk.path) as source,
        partition_copy(source, START, LENGTH, disk.folder) as image,
    ):
        return describe_zipl(source, disk.sector, (START, LENGTH), image, bls_entry(entry))


def findings(disk: ZiplDisk, entry: str = ENTRY, *, first_boot: bool = True) -> list[str]:
    boot = {"entries": [{"file": "ostree-1.conf", **bls_entry(entry)}], "first-boot": first_boot}
    return [str(each) for each in zipl_findings(described(disk, entry), boot, Arch.S390X)]


PLATFORM_ENTRY = ENTRY.replace(OPTIONS, f"{OPTIONS} ignition.platform.id=qemu")


@pytest.fixture(scope="module", params=[512, 4096])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ZiplDisk:
    return make_zipl_disk(tmp_path_factory.mktemp("zipl"), request.param)


@needs_e2fsprogs
def test_the_record_leads_to_the_files_and_arguments_of_the_entry(made: ZiplDisk) -> None:
    disk = made.patched()
    found = read(disk)
    assert found.arguments.decode() == ARGUMENTS
    assert (found.kernel_size, found.initramfs_size) == (len(kernel()), 625_000)
    assert found.stage3 == stage3()
    # The disk is made so that the initramfs has holes of other files in it.
    assert len(found.initramfs) > 62 if made.sector == 512 else len(found.initramfs) > 1
    assert described(disk, PLATFORM_ENTRY) == {
        "arguments": ARGUMENTS.split(), "kernel": True, "initramfs": True, "secure": False, "problem": None,
    }  # fmt: skip
    assert findings(disk, PLATFORM_ENTRY) == []


@needs_e2fsprogs
def test_the_patch_keeps_the_partition_table_and_is_the_same_each_time(made: ZiplDisk) -> None:
    first, again = made.patch(), made.patch()
    assert first == again
    (offset, block), *rest = first.blocks
    before = made.path.read_bytes()[:4096]
    assert (offset, block[152:], block[:4]) == (0, before[152:], b"zIPL")
    assert block[:152].rstrip(b"\0") != before[:152].rstrip(b"\0")
    assert all(START <= at < START + LENGTH for at, _ in rest)
    with FileSource(made.path) as source:
        assert not has_zipl(source)


@needs_e2fsprogs
def test_a_record_is_made_again_over_an_old_one(made: ZiplDisk) -> None:
    disk = made.patched()
    disk.patch(arguments=("a.new.argument",)).apply(disk.path)
    assert read(disk).arguments.decode().endswith(" ignition.platform.id=qemu a.new.argument")
    twice = f"{OPTIONS} ignition.platform.id=qemu ignition.platform.id=qemu"
    message = "the arguments differ from those of /boot/loader/entries/ostree-1.conf and of the first boot"
    (found,) = findings(disk, ENTRY.replace(OPTIONS, twice))
    assert message in found
    assert findings(disk, ENTRY.replace(OPTIONS, f"{twice} a.new.argument"), first_boot=False) == []


@needs_e2fsprogs
def test_a_kernel_that_was_written_again_is_noticed(made: ZiplDisk) -> None:
    disk = made.patched()
    with FileSource(disk.path) as source, partition_copy(source, START, LENGTH, disk.folder) as image:
        first, *_ = BootPartition(image, START, disk.sector).runs("/ostree/vmlinuz")
    with disk.path.open("r+b") as file:
        file.seek(first.sector * disk.sector)
        file.write(b"other")
    assert described(disk, PLATFORM_ENTRY)["kernel"]
    missing = PLATFORM_ENTRY.replace("ostree/vmlinuz", "vmlinuz")
    assert not described(disk, missing)["kernel"]
    (found,) = findings(disk, missing)
    assert "its pointers do not lead to the kernel" in found


def _poke(disk: ZiplDisk, offset: int, data: bytes) -> None:
    with disk.path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@needs_e2fsprogs
@pytest.mark.parametrize(
    ("at", "data", "what"),
    [
        (16, struct.pack(">Q", 1), "leads out of the boot partition"),
        (16, struct.pack(">Q", 1 << 60), "leads out of the boot partition"),
        (16, struct.pack(">Q", (START + 2 * LENGTH // 3) // 4096 * 8), "is not where its pointer leads"),
        (24, struct.pack(">H", 2048), "is for sectors of 2048 bytes"),
    ],
)
def test_a_damaged_record_is_an_error_and_a_finding(made: ZiplDisk, at: int, data: bytes, what: str) -> None:
    disk = made.patched()
    if what.startswith("is not") and disk.sector == 4096:
        data = struct.pack(">Q", (START + 2 * LENGTH // 3) // 4096)
    _poke(disk, at, data)
    with pytest.raises(BootimgError) as caught:
        read(disk)
    assert caught.value.id == "zipl-record-damaged"
    assert what in caught.value.context[0]
    assert described(disk)["problem"]["id"] == "zipl-record-damaged"
    (found,) = findings(disk)
    assert what in found


def test_a_disk_of_s390x_without_a_record_is_a_finding() -> None:
    boot: dict[str, Any] = {"entries": [], "first-boot": True}
    assert [each.evidence for each in zipl_findings(None, boot, Arch.S390X)] == ["no record"]
    assert not [*zipl_findings(None, boot, Arch.X86_64)]


@needs_e2fsprogs
@pytest.mark.parametrize(
    ("entry", "linux", "error", "what"),
    [
        (ENTRY.replace("/boot/ostree/vmlinuz", "/boot/none"), None, "zipl-files-unusable", "/boot/none"),
        (ENTRY.replace("/boot/ostree/initramfs", "/no"), None, "zipl-files-unusable", "/boot/no "),
        (ENTRY, b"small", "zipl-files-unusable", "none of s390x"),
        (ENTRY, kernel(room=64), "zipl-files-unusable", "bytes; the kernel takes 63"),
        (ENTRY.replace("initrd", "devicetree"), None, "boot-entry-missing", "has no initrd"),
    ],
)
def test_what_zipl_could_not_start_is_refused(
    entry: str, linux: bytes | None, error: str, what: str, tmp_path: Path
) -> None:
    disk = make_zipl_disk(tmp_path, entry=entry, linux=linux)
    with pytest.raises(BootimgError) as caught:
        disk.patch()
    assert caught.value.id == error
    assert what in caught.value.context[0]


def test_components_get_the_lowest_free_addresses() -> None:
    """The environment block fits between arguments and initramfs, or comes last."""
    found = choose_addresses(0x8F5000, 0x1234567, 1024)
    assert (found.arguments, found.initramfs, found.environment) == (0x905000, 0x920000, 0x915000)
    close = choose_addresses(0x8F0000, 0x1000, 4096)
    assert (close.arguments, close.initramfs, close.environment) == (0x900000, 0x910000, 0x911000)
    with pytest.raises(ValueError, match="two GiB"):
        choose_addresses(0x8F5000, 0x80000000, 1024)


def test_adjacent_runs_become_one_up_to_what_a_pointer_counts() -> None:
    assert [*joined([Run(5, 3), Run(8, 2), Run(11, 1), Run(10, 1)])] == [Run(5, 5), Run(11, 1), Run(10, 1)]
    assert [*joined([Run(1, 40000), Run(40001, 40000)])] == [Run(1, 65536), Run(65537, 14464)]
    assert [*joined([Run(0, 8), Run(8, 8)])] == [Run(0, 8), Run(8, 8)]
    assert [*joined([])] == []


def test_a_table_has_room_for_a_pointer_to_the_next() -> None:
    tables = [*segment_tables([Run(2 * number, 1) for number in range(1, 64)], 512)]
    assert [len(table) for table in tables] == [496, 496, 496]
    assert tables[2] == struct.pack(">QHH4x", 126, 512, 0).ljust(496, b"\0")


def _signed(content: bytes, signature: bytes) -> bytes:
    info = bytes(8) + struct.pack(">I", len(signature)) + b"~Module signature appended~\n"
    return content + signature + info


def test_a_signature_is_not_loaded() -> None:
    assert unsigned_length(_signed(b"k" * 4096, b"s" * 300)) == 4096
    assert unsigned_length(b"k" * 4096) == 4096
    assert unsigned_length(_signed(b"", b"")[20:]) == 20
    assert known_stage3(_signed(stage3(), b"s" * 700), "/x") == stage3()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (stage3()[:-1], "it has 16383 bytes"),
        (b"\x7fELF" + stage3()[4:], "it does not begin like one"),
        (stage3(references=(0xE000,)), "it does not read its parameters at 0x9000"),
        (stage3(references=(0x9000, 0x9050)), "it reads 0x9050"),
        (stage3(references=(0x9000, 0x6000, 0x9F00)), "it reads 0x9f00"),
    ],
)
def test_a_third_stage_with_other_parameters_is_refused(content: bytes, what: str, tmp_path: Path) -> None:
    tree = tree_of(tmp_path, oci.file("usr/lib/s390-tools/stage3.bin", content), bootloader=False)
    with pytest.raises(BootimgError) as caught:
        layer_stage3(tree)
    assert caught.value.id == "zipl-stage3-unknown"
    assert what in caught.value.context[0]


def test_a_layer_without_zipl_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        layer_stage3(tree_of(tmp_path, oci.file("usr/bin/x"), bootloader=False))
    assert (caught.value.id, caught.value.hint) == (
        "bootloader-missing", "install s390-tools (RHEL and Fedora: s390-tools-core) in the layer",
    )  # fmt: skip
