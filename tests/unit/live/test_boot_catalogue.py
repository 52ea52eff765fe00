"""What the firmware reads: boot catalogue, isolinux's table, MBR and GPT."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.disk.extents import FileSource
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.eltorito import BootImage, BootPlatform, catalogue, parse_catalogue
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.layout import IsoLayout
from bootimg.live.iso.sectors import SECTOR
from bootimg.sizes import MIB
from tests.support.live.liveiso import live_iso, write

EFI, BIOS = "images/efiboot.img", "isolinux/isolinux.bin"


@pytest.fixture(scope="module")
def layout() -> IsoLayout:
    return live_iso().layout()


@pytest.fixture(scope="module")
def data(layout: IsoLayout, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(layout, tmp_path_factory.mktemp("iso") / "x.iso").path.read_bytes()


def test_the_catalogue_has_bios_and_uefi(layout: IsoLayout, tmp_path: Path) -> None:
    iso = write(layout, tmp_path / "x.iso").path
    with FileSource(iso) as source:
        bios, efi = IsoImage(source).boot_entries()
    assert (bios.platform, bios.blocks, bios.bootable) == (0, 4, True)
    assert bios.sector * SECTOR == layout.offsets[BIOS]
    # 17 000 bytes are 9 sectors of 2048 bytes.
    assert (efi.platform, efi.blocks, efi.bootable) == (0xEF, 36, True)
    assert efi.sector * SECTOR == layout.offsets[EFI]


def test_isolinux_finds_itself_in_its_table(layout: IsoLayout, data: bytes) -> None:
    at = layout.offsets[BIOS]
    image = data[at : at + layout.files[BIOS].size]
    volume, sector, length, checksum = struct.unpack_from("<4I", image, 8)
    assert (volume, sector, length) == (16, at // SECTOR, len(image))
    words = struct.unpack(f"<{(len(image) - 64) // 4}I", image[64:])
    assert checksum == sum(words) & 0xFFFFFFFF


def test_the_mbr_starts_isolinux_and_shows_the_efi_image(layout: IsoLayout, data: bytes) -> None:
    assert data[510:512] == b"\x55\xaa"
    assert struct.unpack_from("<Q", data, 432)[0] == layout.offsets[BIOS] // 512
    whole, efi = data[446:462], data[462:478]
    assert (whole[0], whole[4]) == (0x80, 0)
    assert struct.unpack_from("<II", whole, 8) == (0, len(data) // 512)
    assert (efi[0], efi[4]) == (0, 0xEF)
    assert struct.unpack_from("<II", efi, 8) == (layout.offsets[EFI] // 512, 36)


def gpt_copy(data: bytes, at: int) -> tuple[tuple[int, ...], bytes]:
    """The numbers of a header, and its table; both checksums are right."""
    header = bytearray(data[at : at + 92])
    (checksum,) = struct.unpack_from("<I", header, 16)
    header[16:20] = bytes(4)
    assert header[:8] == b"EFI PART"
    assert zlib.crc32(header) == checksum
    here, other, first, last = struct.unpack_from("<4Q", header, 24)
    table_at, count, width, table_sum = struct.unpack_from("<QIII", header, 72)
    table = data[table_at * 512 :][: count * width]
    assert zlib.crc32(table) == table_sum
    return (here, other, first, last), table


def test_both_copies_of_the_gpt_are_whole(layout: IsoLayout, data: bytes) -> None:
    blocks = len(data) // 512
    (here, other, first, last), table = gpt_copy(data, 512)
    assert (here, other, first, last) == (1, blocks - 1, 34, blocks - 34)
    assert gpt_copy(data, len(data) - 512) == ((blocks - 1, 1, 34, blocks - 34), table)
    assert struct.unpack_from("<QQ", table, 32) == (0, layout.volume_size // 512 - 1)
    start = layout.offsets[EFI] // 512
    assert struct.unpack_from("<QQ", table, 128 + 32) == (start, start + 35)


def test_a_disk_ends_at_a_whole_mib_and_has_room_for_the_backup(layout: IsoLayout, data: bytes) -> None:
    assert len(data) % MIB == 0
    assert len(data) - layout.volume_size >= 33 * 512
    assert not any(data[layout.volume_size : -33 * 512])


def test_other_isos_have_other_guids(data: bytes, tmp_path: Path) -> None:
    iso = live_iso()
    other = write(replace(iso, volume=replace(iso.volume, set_id="rhcos-9.7")).layout(), tmp_path / "x.iso")
    start = other.path.read_bytes()[:2048]
    assert start[568:584] != data[568:584]
    assert start[440:444] != data[440:444]


def test_the_rows_of_all_architectures_say_what_they_need() -> None:
    assert [arch for arch in Arch if boot_row(arch).has_efi_image] == [Arch.X86_64, Arch.AARCH64]
    assert [arch for arch in Arch if boot_row(arch).boot_script is not None] == [Arch.PPC64LE]
    assert [arch for arch in Arch if boot_row(arch).has_cdboot_image] == [Arch.S390X]


@pytest.mark.parametrize(
    ("arch", "wanted"),
    [
        (Arch.X86_64, ["EFI/redhat/grub.cfg", "isolinux/isolinux.cfg", None, "KEY"]),
        (Arch.AARCH64, ["EFI/redhat/grub.cfg", None, None, "KEY"]),
        (Arch.PPC64LE, ["boot/grub/grub.cfg", None, None, "KEY"]),
        (Arch.S390X, [None, None, "zipl.prm", "KEY"]),
    ],
)
def test_each_architecture_takes_its_files_of_the_template(arch: Arch, wanted: list[str | None]) -> None:
    template = ["EFI/redhat/grub.cfg", "isolinux/isolinux.cfg", "zipl.prm", "KEY"]
    assert [boot_row(arch).place(path) for path in template] == wanted
    placed = boot_row(arch).placed({path: path.encode() for path in template})
    assert [*placed] == [path for path in wanted if path is not None]


def test_an_iso_for_uefi_alone_has_one_entry() -> None:
    image = BootImage(path=EFI, platform=BootPlatform.EFI)
    entries = parse_catalogue(catalogue([image], {EFI: (50, 5000)}))
    assert entries is not None
    assert [(each.platform, each.sector, each.blocks) for each in entries] == [(0xEF, 50, 12)]


def test_an_efi_image_that_is_too_large_for_the_field_reaches_to_the_end() -> None:
    image = BootImage(path=EFI, platform=BootPlatform.EFI)
    entries = parse_catalogue(catalogue([image], {EFI: (50, 40 * MIB)}))
    assert entries is not None
    assert entries[0].blocks == 0


@pytest.mark.parametrize("at", [0, 30, 31, 5])
def test_a_damaged_catalogue_is_none(at: int) -> None:
    image = BootImage(path=EFI, platform=BootPlatform.EFI)
    data = bytearray(catalogue([image], {EFI: (50, 5000)}))
    data[at] ^= 0x5A
    assert parse_catalogue(bytes(data)) is None
