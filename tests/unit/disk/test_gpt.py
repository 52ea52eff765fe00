import json
import shutil
import struct
import subprocess
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Attribute, Gpt, Partition, partition_guid, read_gpt, write_gpt
from bootimg.errors import BootimgError
from bootimg.sizes import MIB
from tests.support.disks import read_gpt_file

STAMP = UUID("00000000-0000-4000-a000-000000000001")
BIOS_BOOT = UUID("21686148-6449-6E6F-744E-656564454649")
ESP = UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
XBOOTLDR = UUID("BC13C2FF-59E6-4262-A352-B275FD6F7172")
ROOT = UUID("4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709")
LAYER = "sha256:" + "1f" * 32


def coreos(sector: int = 512, mib: int = 2500) -> Gpt:
    def part(number: int, name: str, kind: UUID, start: int, size: int, flags: int = 0) -> Partition:
        scale = MIB // sector
        return Partition(number, name, kind, partition_guid(LAYER, name), start * scale, size * scale, flags)

    return Gpt(
        STAMP,
        mib * MIB // sector,
        (
            part(1, "BIOS-BOOT", BIOS_BOOT, 1, 1, Attribute.LEGACY_BIOS_BOOTABLE),
            part(2, "EFI-SYSTEM", ESP, 2, 127),
            part(3, "boot", XBOOTLDR, 129, 384),
            part(4, "root", ROOT, 513, mib - 514),
        ),
        sector,
    )


@pytest.mark.skipif(not shutil.which("sfdisk"), reason="sfdisk is not installed")
def test_sfdisk_reads_every_field(tmp_path: Path) -> None:
    disk, gpt = tmp_path / "disk", coreos()
    write_gpt(disk, gpt)
    out = subprocess.run(["sfdisk", "--json", disk], capture_output=True, check=True).stdout
    table = json.loads(out)["partitiontable"]
    assert (table["label"], UUID(table["id"]), table["firstlba"]) == ("gpt", STAMP, 2048)
    assert table["lastlba"] == gpt.last_lba
    read = [
        (p["start"], p["size"], UUID(p["type"]), UUID(p["uuid"]), p["name"], p.get("attrs"))
        for p in table["partitions"]
    ]
    assert read == [
        (p.start, p.sectors, p.type_guid, p.guid, p.name, "LegacyBIOSBootable" if p.attributes else None)
        for p in gpt.partitions
    ]
    assert [p["start"] for p in table["partitions"]] == [2048, 4096, 264192, 1050624]
    assert gpt.partition(4).sectors == 4067328


@pytest.mark.skipif(not shutil.which("sgdisk"), reason="sgdisk is not installed")
def test_sgdisk_finds_no_fault(tmp_path: Path) -> None:
    write_gpt(tmp_path / "disk", coreos())
    out = subprocess.run(["sgdisk", "-v", tmp_path / "disk"], capture_output=True, text=True, check=True)
    assert "No problems found" in out.stdout


@pytest.mark.skipif(not shutil.which("sfdisk"), reason="sfdisk is not installed")
def test_the_table_is_what_sfdisk_itself_would_write(tmp_path: Path) -> None:
    gpt, ours, theirs = coreos(), tmp_path / "ours", tmp_path / "theirs"
    write_gpt(ours, gpt)
    lines = ["label: gpt", f"label-id: {STAMP}"]
    for p in gpt.partitions:
        attributes = ', attrs="LegacyBIOSBootable"' if p.attributes else ""
        lines.append(
            f"start={p.start}, size={p.sectors}, type={p.type_guid}, uuid={p.guid}, name={p.name}{attributes}"
        )
    with theirs.open("wb") as file:
        file.truncate(gpt.size)
    subprocess.run(["sfdisk", "-q", theirs], input="\n".join(lines).encode(), check=True)
    with FileSource(ours) as one, FileSource(theirs) as two:
        for offset, length in ((0, 34 * 512), (gpt.size - 33 * 512, 33 * 512)):
            assert one.read(offset, length) == two.read(offset, length)


@pytest.mark.parametrize("sector", [512, 4096])
def test_round_trip_and_sector_size_found(tmp_path: Path, sector: int) -> None:
    gpt = coreos(sector)
    write_gpt(tmp_path / "disk", gpt)
    assert (tmp_path / "disk").stat().st_size == gpt.size
    assert (tmp_path / "disk").stat().st_blocks * 512 < MIB
    assert read_gpt_file(tmp_path / "disk") == gpt
    assert gpt.span(3) == (129 * MIB, 384 * MIB)


@st.composite
def layouts(draw: st.DrawFn) -> Gpt:
    sector = draw(st.sampled_from([512, 4096]))
    position = 2 + 16384 // sector + draw(st.integers(0, 3000))
    partitions = []
    for number in draw(st.lists(st.integers(1, 128), unique=True, max_size=8)):
        position += draw(st.integers(0, 100))
        length = draw(st.integers(1, 5000))
        name = draw(st.text(st.characters(codec="utf-16-le", exclude_characters="\0"), max_size=18))
        guids = draw(st.tuples(st.uuids(), st.uuids()))
        partitions.append(Partition(number, name, *guids, position, length, draw(st.integers(0, 2**64 - 1))))
        position += length
    sectors = position + 16384 // sector + 1 + draw(st.integers(0, 1000))
    partitions.sort(key=lambda each: each.number)
    return Gpt(draw(st.uuids()), sectors, tuple(partitions), sector)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(gpt=layouts(), more=st.integers(0, MIB))
def test_any_layout_reads_back_also_on_a_disk_made_bigger(tmp_path: Path, gpt: Gpt, more: int) -> None:
    disk = tmp_path / "disk"
    disk.unlink(missing_ok=True)
    write_gpt(disk, gpt)
    with disk.open("r+b") as file:
        file.truncate(gpt.size + more)
    assert read_gpt_file(disk, gpt.sector_size) == gpt


@pytest.mark.parametrize(
    ("offset", "what"),
    [
        (512 + 60, "primary header"),
        (1024 + 40, "primary table"),
        (450, "protective MBR"),
        (-512 + 60, "backup header"),
        (-33 * 512 + 40, "backup table"),
    ],
)
def test_a_flipped_bit_is_found(tmp_path: Path, offset: int, what: str) -> None:
    disk, gpt = tmp_path / "disk", coreos()
    write_gpt(disk, gpt)
    with disk.open("r+b") as file:
        file.seek(offset % gpt.size)
        byte = file.read(1)
        file.seek(offset % gpt.size)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(BootimgError, match=what) as caught:
        read_gpt_file(disk)
    assert caught.value.id == "gpt-damaged"


def test_no_table_and_a_cut_disk_are_damaged(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(bytes(MIB))
    (tmp_path / "tiny").write_bytes(b"x")
    write_gpt(tmp_path / "cut", coreos())
    with (tmp_path / "cut").open("r+b") as file:
        file.truncate(100 * MIB)
    for name in ("empty", "tiny", "cut"):
        with FileSource(tmp_path / name) as source, pytest.raises(BootimgError) as caught:
            read_gpt(source)
        assert caught.value.id == "gpt-damaged"
    with FileSource(tmp_path / "cut") as source:
        assert read_gpt(source, backup=False) == coreos()


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 0}, {"number": 129}, {"number": 2}, {"start": 33}, {"sectors": 0}, {"sectors": 3000},
        {"name": "n" * 37}, {"sectors": 10**9},
    ],
)  # fmt: skip
def test_an_impossible_layout_is_refused(changed: dict[str, int]) -> None:
    good = Partition(1, "a", ESP, STAMP, 2048, 2048)
    other = Partition(2, "b", ESP, ROOT, 4096, 2048)
    fields = {name: getattr(good, name) for name in Partition.__slots__}
    with pytest.raises(BootimgError) as caught:
        Gpt(STAMP, 10000, (Partition(**{**fields, **changed}), other))
    assert caught.value.id == "gpt-layout-invalid"


def test_writing_keeps_boot_code_and_is_the_same_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    write_gpt(disk, coreos())
    with disk.open("r+b") as file:
        file.write(b"code" * 100)
    write_gpt(disk, coreos())
    with disk.open("rb") as file:
        assert file.read(446)[:400] == b"code" * 100
    with (tmp_path / "big").open("wb"):
        write_gpt(tmp_path / "big", coreos(mib=3 * 1024 * 1024))
    with (tmp_path / "big").open("rb") as file:
        file.seek(446)
        assert struct.unpack("<I", file.read(16)[12:]) == (0xFFFFFFFF,)


def test_guids_depend_on_layer_and_role() -> None:
    assert partition_guid(LAYER, "root") == partition_guid(LAYER, "root")
    assert len({partition_guid(layer, role) for layer in (LAYER, "x") for role in ("root", "boot")}) == 4
