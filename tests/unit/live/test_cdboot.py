"""The live ISO of s390x: what its firmware starts, what a logical partition loads, and the areas in it.

The readers here are their own: they load a file to memory as the machine does.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from bootimg.__main__ import main
from bootimg.arch import Arch
from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.bootways.cdboot import cdboot_head, require_kernel, write_cdboot
from bootimg.live.embed.edit import edit_in_place, opened_iso
from bootimg.live.embed.ignition import embed_ignition, ignition_config
from bootimg.live.embed.kargs import append_kargs
from bootimg.live.filledtemplate import filled_template
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.eltorito import BootImage, BootPlatform, catalogue, parse_catalogue
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.layout import lay_out
from bootimg.live.iso.tree import IsoFile
from bootimg.live.miniso.extract import extract_minimal
from bootimg.live.reading.describe import describe_iso
from bootimg.live.reading.isoparts import arch_of
from bootimg.sizes import MIB
from tests.support.live.liveiso import DEFAULT, VOLUME, write
from tests.support.live.s390xiso import ARGUMENTS, TAIL, files_of, s390x_iso, s390x_kernel, written_s390x

CONFIG = b'{"ignition": {"version": "3.4.0"}}'
ZEROS = bytes(262144)


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    return written_s390x(tmp_path)


def content(iso: Path, path: str) -> bytes:
    with FileSource(iso) as source:
        image = IsoImage(source)
        found = image.find(path)
        assert found is not None, path
        return image.read(found.offset, found.length)


def started(iso: Path) -> bytes:
    """The memory from address 0 on after the firmware has loaded the boot image of the catalogue."""
    data = iso.read_bytes()
    (at,) = struct.unpack_from("<I", data, 17 * 2048 + 71)
    flags, _, segment, _, _, blocks, sector, _ = struct.unpack_from("<BBHBBHI20s", data, at * 2048 + 32)
    assert (flags, segment) == (0x88, 0)
    assert blocks > 0
    memory = data[sector * 2048 : sector * 2048 + blocks * 512]
    # It starts only what has the channel commands of a kernel, at the address in the first 8 bytes.
    assert memory[8:32] == bytes.fromhex("0200001860000050 0200006860000050") + b"\x40" * 8
    assert memory[:4] == bytes.fromhex("00080000")
    return memory


def initramfs_in(memory: bytes) -> bytes:
    start, size = struct.unpack_from(">QQ", memory, 0x10408)
    assert start % 4096 == 0
    return memory[start : start + size]


def arguments_in(memory: bytes) -> str:
    return memory[0x10480:].partition(b"\0")[0].decode()


def test_the_firmware_starts_kernel_and_initramfs_with_the_arguments(iso: Path) -> None:
    memory, kernel = started(iso), s390x_kernel()
    assert arguments_in(memory) == DEFAULT
    assert initramfs_in(memory) == content(iso, "images/pxeboot/initrd.img") + ZEROS
    assert content(iso, "images/pxeboot/vmlinuz") == kernel
    assert memory[:0x10408] == kernel[:0x10408]
    assert memory[0x10418:0x10480] == kernel[0x10418:0x10480]
    # The kernel takes 4096 bytes of arguments; nothing of what was there is left.
    assert not any(memory[0x10480 + len(DEFAULT) : 0x10480 + 4096])
    assert memory[0x10480 + 4096 : len(kernel)] == kernel[0x10480 + 4096 :]


def test_the_info_files_lead_into_the_boot_image(iso: Path) -> None:
    memory = content(iso, "images/cdboot.img")
    start, size = struct.unpack_from(">QQ", memory, 0x10408)
    assert json.loads(content(iso, "coreos/igninfo.jso")) == {
        "file": "images/cdboot.img", "length": 262144, "offset": start + size - 262144,
    }  # fmt: skip
    place = {"path": "images/cdboot.img", "offset": 66688, "pad": "\0", "end": "\0"}
    assert json.loads(content(iso, "coreos/kargs.jso")) == {"default": DEFAULT, "files": [place], "size": 896}


def test_an_embedded_config_is_the_end_of_the_initramfs(iso: Path) -> None:
    before = iso.read_bytes()
    edit_in_place(iso, lambda found: embed_ignition(found, CONFIG, force=False))
    own = content(iso, "images/pxeboot/initrd.img")
    inside = initramfs_in(started(iso))
    assert inside.startswith(own)
    # An archive is packed by xz, and zeros follow it.
    assert inside[len(own) :].startswith(b"\xfd7zXZ\0")
    assert len(inside) == len(own) + 262144
    with opened_iso(iso) as found:
        assert ignition_config(found) == CONFIG
    edit_in_place(iso, lambda found: found.reset())
    assert iso.read_bytes() == before


def test_changed_arguments_are_the_kernels(iso: Path) -> None:
    before = iso.read_bytes()
    edit_in_place(iso, lambda found: append_kargs(found, ["console=ttysclp0"]))
    assert arguments_in(started(iso)) == f"{DEFAULT} console=ttysclp0"
    edit_in_place(iso, lambda found: found.with_kargs("a"))
    area = started(iso)[0x10480 : 0x10480 + 4096]
    assert area == b"a".ljust(4096, b"\0")
    edit_in_place(iso, lambda found: found.reset())
    assert iso.read_bytes() == before
    with pytest.raises(BootimgError, match="iso-area-too-small"):
        edit_in_place(iso, lambda found: found.with_kargs("a" * 896))


def test_a_logical_partition_loads_the_same_system(iso: Path) -> None:
    memory = bytearray(MIB * 40)
    listed = [line.split() for line in content(iso, "generic.ins").decode().splitlines() if line[0] != "*"]
    names = [name for name, _ in listed]
    assert names == [
        "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img",
        "images/genericdvd.prm", "images/initrd.addrsize",
    ]  # fmt: skip
    shorts = {"images/genericdvd.prm": "images/genericd.prm", "images/initrd.addrsize": "images/initrd.add"}
    for name, address in listed:
        data, at = content(iso, shorts.get(name, name)), int(address, 16)
        memory[at : at + len(data)] = data
    start, size = struct.unpack_from(">QQ", memory, 0x10408)
    assert start == 0x02000000
    assert memory[start : start + size] == content(iso, "images/pxeboot/initrd.img")
    assert memory[0x10480:].startswith(f"{DEFAULT}\n".encode())


def test_the_files_beside_the_boot_image(tmp_path: Path) -> None:
    files = files_of(s390x_iso(tmp_path))
    names = ("cdboot", "generic", "genericdvd")
    assert {files[f"images/{name}.prm"] for name in names} == {f"{DEFAULT}\n".encode()}
    text = files["images/redhat.exec"].decode().splitlines()
    assert text[0].startswith("/*")
    assert all(line == line.strip() and line[0] == line[-1] == "'" for line in text[1:])
    assert not any(path.startswith(("EFI", "isolinux", "zipl", "images/ignition")) for path in files)


def test_a_minimal_iso_starts_too(iso: Path, tmp_path: Path) -> None:
    with opened_iso(iso) as found:
        extract_minimal(found, tmp_path / "minimal.iso", "http://example.com/rootfs.img")
    assert arguments_in(started(tmp_path / "minimal.iso")).split() == [
        "mitigations=auto", "ignition.firstboot", "ignition.platform.id=metal",
        "coreos.live.rootfs_url=http://example.com/rootfs.img",
    ]  # fmt: skip
    assert (tmp_path / "minimal.iso").stat().st_size < iso.stat().st_size - 2 * MIB


def test_it_says_whose_it_is(iso: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["iso", "show", str(iso)]) == 0
    [line] = [line for line in capfd.readouterr().out.splitlines() if line.startswith("boots by")]
    assert line.split() == ["boots", "by", "s390x"]
    found = describe_iso(iso)
    assert (found["arch"], found["boots-as-disk"], found["kargs"]) == ("s390x", False, DEFAULT)
    [area] = found["kargs-areas"]
    assert area["length"] == 896
    assert found["minimal-iso"]["problem"] is None


def test_a_file_with_the_name_of_an_efi_image_changes_nothing(tmp_path: Path) -> None:
    files = [IsoFile.of(f"images/{name}", b"x") for name in ("cdboot.img", "efiboot.img")]
    iso = write(lay_out(files, VOLUME), tmp_path / "x.iso").path
    with FileSource(iso) as source:
        assert arch_of(IsoImage(source)) is Arch.S390X


@pytest.mark.parametrize(("platform", "blocks"), [(BootPlatform.BIOS, 65535), (BootPlatform.EFI, 0)])
def test_an_image_that_is_too_large_for_the_field_has_a_number_that_its_firmware_takes(
    platform: BootPlatform, blocks: int
) -> None:
    entries = parse_catalogue(catalogue([BootImage(path="x", platform=platform)], {"x": (50, 64 * MIB)}))
    assert entries is not None
    assert entries[0].blocks == blocks


def of_kernel(data: bytes) -> str | None:
    """What is wrong with a kernel, read in pieces."""
    try:
        require_kernel(len(data), (data[at : at + 1000] for at in range(0, len(data), 1000)))
    except BootimgError as error:
        assert (error.id, error.exit_code) == ("live-kernel-unsupported", ExitCode.USAGE)
        return error.message
    return None


def test_kernels_that_no_such_machine_starts_are_refused() -> None:
    good = s390x_kernel()
    assert of_kernel(good) is None
    assert "loads itself" in (of_kernel(b"\x7fELF" + good[4:8] + bytes(24) + good[32:]) or "")
    assert "loads itself" in (of_kernel(good[:0x10008] + b"390EPS" + good[0x1000E:]) or "")
    assert "loads itself" in (of_kernel(good[:4000]) or "")
    assert "loads itself" in (of_kernel(b"") or "")
    assert "of 895 bytes" in (of_kernel(s390x_kernel(room=895)) or "")
    # An old kernel does not say how much it takes.
    assert of_kernel(s390x_kernel(room=0)) is None
    assert "has 70000 bytes" in (of_kernel(s390x_kernel(size=70_000)) or "")
    assert "loaded at 33554432" in (of_kernel(s390x_kernel(size=32 * MIB + 1)) or "")
    assert of_kernel(s390x_kernel(size=32 * MIB)) is None


def test_a_kernel_that_says_nothing_takes_896_bytes() -> None:
    kernel = s390x_kernel(room=0)
    head = cdboot_head(kernel, 5, b"a" * 895)
    assert head[0x10480 : 0x10480 + 897] == b"a" * 895 + b"\0" + kernel[0x10480 + 896 : 0x10480 + 897]
    with pytest.raises(ValueError, match="896 bytes of arguments"):
        cdboot_head(kernel, 5, b"a" * 896)


def test_the_initramfs_ends_where_an_archive_can_begin(tmp_path: Path) -> None:
    (tmp_path / "kernel").write_bytes(s390x_kernel())
    (tmp_path / "initrd").write_bytes(b"12345")
    with pytest.raises(ValueError, match="no archive can follow"):
        write_cdboot(tmp_path / "cdboot", tmp_path / "kernel", tmp_path / "initrd", "")


@pytest.mark.parametrize(
    ("text", "id", "said"),
    [
        (None, "live-template-invalid", "is missing"),
        ("root=/dev/vda", "live-template-invalid", "once"),
        (f"@@KERNEL-ARGS@@ @@KERNEL-ARGS@@{TAIL}", "live-template-invalid", "once"),
        ("@@KERNEL-ARGS@@\nignition.firstboot\n", "live-template-invalid", "one line"),
        ("@@KERNEL-ARGS@@ é", "live-template-invalid", "one line"),
        (f"@@KERNEL-ARGS@@ {'a' * 896}", "live-arguments-too-long", "has 896"),
    ],
)
def test_templates_without_a_line_of_arguments_are_refused(text: str | None, id: str, said: str) -> None:
    template = {} if text is None else {"zipl.prm": text.encode()}
    with pytest.raises(BootimgError) as caught:
        filled_template(boot_row(Arch.S390X), template, ARGUMENTS, None)
    assert (caught.value.id, caught.value.exit_code) == (id, ExitCode.USAGE)
    assert said in caught.value.message
