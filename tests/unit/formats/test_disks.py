"""Each format is what its content says, read back by QEMU, dissect.hypervisor and libyal's libraries."""

import hashlib
import importlib
import json
import os
import struct
import uuid
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg import formats
from bootimg.crc32c import crc32c
from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.disk.extents import Extent, FileSource
from bootimg.errors import BootimgError
from bootimg.formats import Packing
from bootimg.formats.qcow2.plain import CLUSTER
from bootimg.formats.vhdx import write_vhdx
from bootimg.formats.vmdk import write_vmdk
from bootimg.formats.vpc import LIMIT, geometry, write_vpc
from bootimg.sizes import GIB, KIB, MIB, TIB
from tests.support.disks import DISKS, libyal, make_disk, needs_qemu_img, pieces, run, write

Options = Mapping[str, str | bool]
VMDK: Options = {"adapter_type": "lsilogic", "compat6": True, "subformat": "streamOptimized"}
FORMATS: Mapping[str, tuple[str, Options, str]] = {
    "qcow2": ("qcow2", {"compat": "1.1"}, "qcow2"),
    "qcow2 compressed": ("qcow2", {"compat": "1.1", "compression": True}, "qcow2"),
    "vmdk": ("vmdk", VMDK, "vmdk"),
    "vhdx": ("vhdx", {}, "vhdx"),
    "vhd": ("vpc", {"subformat": "fixed", "force_size": True}, "vpc"),
}


def assert_same_content(raw: Path, out: Path, kind: str) -> None:
    said = run("qemu-img", "compare", "-f", "raw", "-F", kind, raw, out)
    assert b"identical" in said
    if kind != "vpc":
        run("qemu-img", "check", "-f", kind, out)


@needs_qemu_img
@pytest.mark.parametrize("disk", DISKS)
@pytest.mark.parametrize("name", FORMATS)
def test_qemu_img_finds_the_same_content(tmp_path: Path, name: str, disk: str) -> None:
    disk_format, options, kind = FORMATS[name]
    size, data = DISKS[disk]
    if disk_format == "vpc" and size % MIB:
        pytest.skip("no size for a VHD")
    raw, out = make_disk(tmp_path / "raw", size, data), tmp_path / "out"
    written = write(disk_format, raw, out, options)
    assert_same_content(raw, out, kind)
    assert written.size == out.stat().st_size
    assert written.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert written.uncompressed_sha256 is None
    info = json.loads(run("qemu-img", "info", "-f", kind, "--output=json", out))
    expected = -(-size // 65536) * 65536 if kind == "vmdk" else size
    assert info["virtual-size"] == expected


@needs_qemu_img
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=st.sampled_from([name for name in FORMATS if name != "vhd"]),
    sectors=st.integers(1, 9 * 2048),
    data=st.lists(st.tuples(st.integers(0, 9 * MIB), st.integers(1, 2 * MIB)), max_size=5),
    patch=st.integers(0, 50),
)
def test_any_map_of_extents(
    tmp_path: Path, name: str, sectors: int, data: list[tuple[int, int]], patch: int
) -> None:
    disk_format, options, kind = FORMATS[name]
    base = make_disk(tmp_path / "base", sectors * 512, data)
    size = (sectors + patch) * 512
    blocks = Patch(((size - 512, b"p" * 512),)) if patch else Patch()
    with Composite(base, blocks, size) as source:
        expected = source.read(0, size)
    raw = tmp_path / "raw"
    raw.write_bytes(expected)
    write(disk_format, raw, tmp_path / "dense", options)
    with Composite(base, blocks, size) as source:
        formats.write(disk_format, source, tmp_path / "out", options)
    assert_same_content(raw, tmp_path / "out", kind)
    if size >= 64 * KIB or disk_format == "qcow2":
        assert (tmp_path / "out").read_bytes() == (tmp_path / "dense").read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_the_bytes_depend_on_the_content_alone(tmp_path: Path, name: str) -> None:
    disk_format, options, _ = FORMATS[name]
    raw = make_disk(tmp_path / "raw", *DISKS["holes"])
    dense = tmp_path / "dense"
    dense.write_bytes(raw.read_bytes())
    first = write(disk_format, raw, tmp_path / "1", options, threads=1)
    second = write(disk_format, dense, tmp_path / "2", options, threads=3)
    assert first.sha256 == second.sha256


@pytest.mark.parametrize(("name", "module", "reader"), [
    ("qcow2 compressed", "qcow2", "QCow2"),
    ("vmdk", "vmdk", "VMDK"),
    ("vhdx", "vhdx", "VHDX"),
    ("vhd", "vhd", "VHD"),
])  # fmt: skip
@pytest.mark.parametrize("disk", ["holes", "all zeros", "all random", "end only"])
def test_another_reader_sees_the_same(tmp_path: Path, name: str, module: str, reader: str, disk: str) -> None:
    try:
        package = importlib.import_module(f"dissect.hypervisor.disk.{module}")
    except ImportError:
        pytest.skip("dissect.hypervisor is not installed")
    disk_format, options, _ = FORMATS[name]
    raw, out = make_disk(tmp_path / "raw", *DISKS[disk]), tmp_path / f"out.{module}"
    write(disk_format, raw, out, options)
    with out.open("rb") as file:
        opened: Any = getattr(package, reader)(out if module == "qcow2" else file)
        stream = opened.open() if hasattr(opened, "open") else opened
        assert stream.read(raw.stat().st_size) == raw.read_bytes()


# libqcow gives other bytes than QEMU for compressed clusters, of qemu-img's own images too.
@pytest.mark.parametrize(("name", "module"), [
    ("qcow2", "pyqcow"),
    ("vmdk", "pyvmdk"),
    ("vmdk of ide", "pyvmdk"),
    ("vhdx", "pyvhdi"),
    ("vhd", "pyvhdi"),
])  # fmt: skip
@pytest.mark.parametrize("disk", ["holes", "all zeros", "all random", "end only"])
def test_libyal_sees_the_same(tmp_path: Path, name: str, module: str, disk: str) -> None:
    library = pytest.importorskip(module)
    disk_format, options, _ = FORMATS.get(name, ("vmdk", {}, "vmdk"))
    raw, out = make_disk(tmp_path / "raw", *DISKS[disk]), tmp_path / f"out.{disk_format}"
    write(disk_format, raw, out, options)
    assert libyal(library, out) == raw.read_bytes()


@needs_qemu_img
@pytest.mark.parametrize("name", ["qcow2 compressed", "vmdk"])
def test_a_large_disk_with_little_in_it(tmp_path: Path, name: str) -> None:
    disk_format, options, kind = FORMATS[name]
    spots = [(0, MIB), (512 * MIB - 7, 100), (5 * GIB, 100), (9 * GIB - CLUSTER, CLUSTER)]
    raw, out = make_disk(tmp_path / "raw", 9 * GIB, spots), tmp_path / "out"
    if raw.stat().st_blocks * 512 > GIB:
        pytest.skip("this filesystem has no holes")
    write(disk_format, raw, out, options)
    assert_same_content(raw, out, kind)
    assert out.stat().st_blocks * 512 < 16 * MIB


@needs_qemu_img
def test_compressed_clusters_share_those_of_the_file(tmp_path: Path) -> None:
    raw, out = make_disk(tmp_path / "raw", 40 * MIB, [(0, 40 * MIB)]), tmp_path / "out"
    raw.write_bytes(raw.read_bytes()[: 20 * MIB] + os.urandom(4 * MIB) + b"ab" * (8 * MIB))
    write("qcow2", raw, out, {"compression": True})
    check = json.loads(run("qemu-img", "check", "--output=json", out))
    assert (check["check-errors"], check.get("leaks", 0), check.get("corruptions", 0)) == (0, 0, 0)
    assert 500 < check["compressed-clusters"] < check["allocated-clusters"] == 640
    assert out.stat().st_size < 16 * MIB
    assert_same_content(raw, out, "qcow2")


def test_the_descriptor_and_footer_of_a_vmdk(tmp_path: Path) -> None:
    raw, out = make_disk(tmp_path / "raw", 700 * MIB, [(0, MIB), (650 * MIB, MIB)]), tmp_path / "out"
    write("vmdk", raw, out, VMDK)
    data = out.read_bytes()
    text = data[512 : 128 * 512].rstrip(b"\0").decode()
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert lines["createType"] == '"streamOptimized"'
    assert lines["ddb.adapterType "] == ' "lsilogic"'
    assert lines["ddb.virtualHWVersion "] == ' "6"'
    assert f"RW {700 * 2048} SPARSE " in text
    sections = ["# Disk DescriptorFile", "# Extent description", "# The Disk Data Base", "#DDB"]
    assert [line for line in text.splitlines() if line.startswith("#")] == sections
    assert text.index("# Extent description") < text.index("RW ") < text.index("#DDB") < text.index("ddb.")
    footer = data[-1024:-512]
    assert footer[:56] == data[:56]
    assert struct.unpack("<Q", data[56:64]) == (2**64 - 1,)
    (directory,) = struct.unpack("<Q", footer[56:64])
    tables = struct.unpack("<22I", data[directory * 512 :][:88])
    assert [index for index, sector in enumerate(tables) if sector] == [0, 20]
    entries = struct.unpack("<512I", data[tables[20] * 512 :][:2048])
    at = entries[650 * 16 % 512] * 512
    sector, size = struct.unpack("<QI", data[at : at + 12])
    assert sector == 650 * 2048
    with FileSource(raw) as source:
        assert zlib.decompress(data[at + 12 : at + 12 + size]) == source.read(650 * MIB, 64 * KIB)
    assert data[-512:] == bytes(512)


def test_the_adapter_of_a_vmdk_can_be_left_out(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", 4 * MIB, [(0, MIB)])
    write("vmdk", raw, tmp_path / "out")
    head = (tmp_path / "out").read_bytes()[512:2048]
    assert b'ddb.adapterType = "ide"' in head
    assert b'ddb.virtualHWVersion = "4"' in head


def test_the_footer_of_a_vhd(tmp_path: Path) -> None:
    raw, out = make_disk(tmp_path / "raw", *DISKS["holes"]), tmp_path / "out"
    write("vpc", raw, out)
    data = out.read_bytes()
    assert data[:-512] == raw.read_bytes()
    footer = bytearray(data[-512:])
    assert footer[:8] == b"conectix"
    (checksum,) = struct.unpack(">I", footer[64:68])
    footer[64:68] = bytes(4)
    assert checksum == ~sum(footer) & 0xFFFFFFFF
    assert struct.unpack(">QQ", footer[40:56]) == (70 * MIB, 70 * MIB)
    assert struct.unpack(">I", footer[60:64]) == (2,)
    assert uuid.UUID(bytes=bytes(footer[68:84])).version == 5
    if raw.stat().st_blocks * 512 < 16 * MIB:
        assert out.stat().st_blocks * 512 < 16 * MIB


@needs_qemu_img
@pytest.mark.parametrize("size", [MIB, 70 * MIB, 504 * MIB, 16 * GIB, 100 * GIB])
def test_the_geometry_is_the_one_qemu_img_calculates(tmp_path: Path, size: int) -> None:
    out = tmp_path / "out"
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=dynamic,force_size=off", out, str(size))
    with out.open("rb") as file:
        file.seek(-512, 2)
        footer = file.read()
    cylinders, heads, sectors = struct.unpack(">HBB", footer[56:60])
    assert cylinders * heads * sectors * 512 >= size
    assert geometry(cylinders * heads * sectors) == (cylinders, heads, sectors)


class Empty:
    """A disk of zeros, of any size."""

    def __init__(self, size: int) -> None:
        self.size = size

    def extents(self) -> Iterator[Extent]:
        yield Extent(0, self.size, data=False)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(length)


@pytest.mark.parametrize("size", [0, MIB + 512, LIMIT + MIB])
def test_sizes_that_a_vhd_cannot_have(tmp_path: Path, size: int) -> None:
    with pytest.raises(BootimgError) as caught:
        write_vpc(Empty(size), tmp_path / "out", {}, None)
    assert caught.value.id == "vhd-size-invalid"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [0, 64 * TIB + 512])
def test_sizes_that_a_vhdx_cannot_have(tmp_path: Path, size: int) -> None:
    with pytest.raises(BootimgError) as caught:
        write_vhdx(Empty(size), tmp_path / "out", {}, None)
    assert caught.value.id == "vhdx-size-invalid"


@needs_qemu_img
def test_a_vhdx_with_entries_for_bitmaps_between_those_of_blocks(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", 4 * GIB + 3 * MIB, [(4 * GIB - MIB, 2 * MIB), (4 * GIB + 2 * MIB, 5)])
    write("vhdx", raw, tmp_path / "out")
    # Quicker than to have it compared: holes stay holes.
    run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", tmp_path / "out", tmp_path / "back")
    run("qemu-img", "check", "-f", "vhdx", tmp_path / "out")
    assert (tmp_path / "back").stat().st_size == raw.stat().st_size
    assert pieces(tmp_path / "back") == pieces(raw)
    assert (tmp_path / "out").stat().st_size == 4 * MIB + 3 * MIB
    assert crc32c(b"123456789") == 0xE3069283


def test_writers_work_as_plain_functions_too(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", 2 * MIB, [(0, 10)])
    with FileSource(raw) as source:
        assert write_vmdk(source, tmp_path / "out", {}, None, Packing(threads=1)).path == tmp_path / "out"
