"""What of live media is changed for one run: an overlay of the ISO, and the initramfs for PXE."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.builds.find import digest_of
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.booting.iso import BootableIso
from bootimg.live.booting.pxe import BootablePxe
from bootimg.live.embed.edit import edit_in_place, opened_iso
from bootimg.live.embed.ignition import embed_ignition, ignition_config
from bootimg.live.embed.network import embed_keyfiles, keyfiles
from bootimg.live.embed.pxe import wrap_ignition
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.machine import Machine
from tests.support.disks import whole_disk
from tests.support.live.liveiso import DEFAULT, GRUB, part, written_iso
from tests.support.live.s390xiso import written_s390x

CONFIG = b'{"ignition": {"version": "3.0.0"}}'
OTHER = b'{"ignition": {"version": "3.1.0"}}'
MACHINE = Machine(arch=Arch.X86_64, accelerator=Accelerator("tcg", ""), console="stdio", memory_mib=512)
needs_qemu = pytest.mark.skipif(
    not all(map(process.find, ("qemu-img", "qemu-io"))), reason="qemu-img or qemu-io is not installed"
)


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    return written_iso(tmp_path / "live.iso")


def booted(iso: Path, config: bytes, folder: Path, kargs: tuple[str, ...] = ()) -> Path:
    """The ISO as the machine sees it."""
    machine = BootableIso.read(iso, Arch.X86_64, kargs).put_into(MACHINE, config, folder)
    assert machine.cd is not None
    whole_disk(machine.cd, folder / "seen.iso")
    return folder / "seen.iso"


@needs_qemu
def test_the_machine_sees_the_config_and_the_arguments_and_the_file_stays(iso: Path, tmp_path: Path) -> None:
    iso.chmod(0o444)
    before = digest_of(iso)
    with opened_iso(booted(iso, CONFIG, tmp_path, ("of.the=run",))) as seen:
        assert ignition_config(seen) == CONFIG
        assert seen.kargs == f"{DEFAULT} console=ttyS0 of.the=run"
    assert digest_of(iso) == before


@needs_qemu
def test_the_overlay_has_only_what_is_changed(tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "live.iso", rootfs=part(bytes(range(256)) * 32768))
    machine = BootableIso.read(iso, Arch.X86_64).put_into(MACHINE, CONFIG, tmp_path)
    assert machine.cd is not None
    assert machine.cd.base is not None
    assert machine.cd.path.stat().st_blocks * 512 < iso.stat().st_size // 4


@needs_qemu
def test_the_config_of_the_run_takes_the_place_of_the_embedded_one(iso: Path, tmp_path: Path) -> None:
    """The keyfiles beside it stay."""
    edit_in_place(iso, lambda found: embed_keyfiles(found, {"a.nmconnection": b"[connection]"}, force=False))
    edit_in_place(iso, lambda found: embed_ignition(found, OTHER, force=False))
    assert BootableIso.read(iso, Arch.X86_64).config == OTHER
    with opened_iso(booted(iso, CONFIG, tmp_path)) as seen:
        assert ignition_config(seen) == CONFIG
        assert keyfiles(seen) == {"a.nmconnection": b"[connection]"}


@needs_qemu
def test_an_iso_that_needs_no_change_is_booted_as_it_is(iso: Path, tmp_path: Path) -> None:
    edit_in_place(iso, lambda found: embed_ignition(found, OTHER, force=False))
    edit_in_place(iso, lambda found: found.with_kargs(f"{found.kargs} console=ttyS0,115200n8"))
    machine = BootableIso.read(iso, Arch.X86_64).put_into(MACHINE, OTHER, tmp_path)
    assert machine.cd is not None
    assert (machine.cd.path, machine.cd.base) == (iso, None)


def test_a_config_that_does_not_fit_is_refused(iso: Path, tmp_path: Path) -> None:
    large = json.dumps({"ignition": {"version": "3.0.0"}, "of": [n**9 for n in range(60_000)]}).encode()
    with pytest.raises(BootimgError, match="iso-area-too-small"):
        BootableIso.read(iso, Arch.X86_64).put_into(MACHINE, large, tmp_path)


def test_an_iso_that_is_not_of_coreos_is_refused(tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "live.iso")
    data = iso.read_bytes().replace(b"IGNINFO.JSO", b"XGNINFO.JSO").replace(b"IGNITION.IMG", b"XGNITION.IMG")
    iso.write_bytes(data)
    with pytest.raises(BootimgError, match="iso-not-coreos"):
        BootableIso.read(iso, Arch.X86_64)


def test_the_architecture_is_the_isos_own(tmp_path: Path) -> None:
    """If the ISO does not say which it is for, the user does."""
    iso = written_iso(tmp_path / "live.iso", template={"EFI/redhat/grub.cfg": GRUB})
    assert BootableIso.read(iso, Arch.S390X).arch is Arch.X86_64
    # Without the folder that starts x86_64, it is one for aarch64, and without the EFI image for any.
    iso.write_bytes(iso.read_bytes().replace(b"ISOLINUX", b"XSOLINUX"))
    assert BootableIso.read(iso, Arch.S390X).arch is Arch.AARCH64
    iso.write_bytes(iso.read_bytes().replace(b"EFIBOOT", b"XFIBOOT"))
    assert BootableIso.read(iso, Arch.S390X).arch is Arch.S390X
    assert BootableIso.read(written_s390x(tmp_path / "s390x"), Arch.X86_64).arch is Arch.S390X


@needs_qemu
def test_an_iso_without_boot_menus_gets_the_arguments_of_the_run(tmp_path: Path) -> None:
    iso = written_s390x(tmp_path / "s390x")
    with opened_iso(booted(iso, CONFIG, tmp_path, ("of.the=run",))) as seen:
        assert ignition_config(seen) == CONFIG
        assert seen.kargs == f"{DEFAULT} console=ttysclp0 of.the=run"


def live_files(folder: Path, **changes: Any) -> BootablePxe:  # noqa: ANN401
    for name in ("kernel", "initramfs", "rootfs"):
        (folder / name).write_bytes(name.encode() * 3)
    (folder / "scratch").mkdir()
    paths = {name: folder / name for name in ("kernel", "initramfs", "rootfs", "scratch")}
    return BootablePxe(**{**paths, **changes})


def test_the_rootfs_and_the_config_follow_the_initramfs(tmp_path: Path) -> None:
    """Each begins at a multiple of 4, where the kernel looks for an archive."""
    machine = live_files(tmp_path, kargs=("of.the=run",)).put_into(MACHINE, CONFIG, tmp_path)
    assert machine.direct is not None
    assert machine.direct.initrd.read_bytes() == b"".join(
        [b"initramfs" * 3 + b"\0", b"rootfs" * 3 + b"\0\0", padded(wrap_ignition(CONFIG))]
    )
    assert machine.direct.kernel == tmp_path / "kernel"
    assert machine.direct.arguments == (
        "ignition.firstboot", "ignition.platform.id=metal", "console=ttyS0", "of.the=run",
    )  # fmt: skip
    assert not machine.reboot


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def test_a_rootfs_from_a_server_is_not_appended(tmp_path: Path) -> None:
    files = live_files(tmp_path, kargs=("coreos.live.rootfs_url=http://10.0.2.2/rootfs.img",))
    machine = files.put_into(MACHINE, CONFIG, tmp_path)
    assert machine.direct is not None
    assert b"rootfs" not in machine.direct.initrd.read_bytes()


def test_too_little_memory_is_refused(tmp_path: Path) -> None:
    """A file with holes is as large as it says."""
    files = live_files(tmp_path)
    with files.rootfs.open("r+b") as rootfs:
        rootfs.truncate(300 << 20)
    with pytest.raises(BootimgError) as caught:
        files.put_into(MACHINE, CONFIG, tmp_path)
    assert (caught.value.id, caught.value.exit_code) == ("live-memory-too-small", ExitCode.USAGE)
    assert not (files.scratch / "initrd").exists()
