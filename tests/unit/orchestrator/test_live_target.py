"""What a plan of live media refuses: each thing that a layer lacks, before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.live.features import EXAMPLE, INSTALLER
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.template import PATH
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.targets.live import Live
from tests.support import oci
from tests.support.liveiso import SMALL
from tests.unit.live.layers import AREA, GRUB, ISOLINUX

HMAC = f"usr/lib/modules/{oci.KERNEL}/.vmlinuz.hmac"
VENDOR = "usr/lib/bootupd/updates/EFI/redhat/grubx64.efi"
SYSLINUX = "usr/share/syslinux"
COMPLETE = {
    GRUB: AREA.encode(),
    ISOLINUX: AREA.encode(),
    HMAC: b"checksum",
    VENDOR: b"grub",
    "usr/lib/bootupd/updates/EFI/BOOT/BOOTX64.EFI": b"shim",
    INSTALLER: b"program",
    EXAMPLE: b"stream: name\n",
    **{f"{SYSLINUX}/{name}": name.encode() for name in boot_row(Arch.X86_64).syslinux},
    f"{SYSLINUX}/isolinux.bin": SMALL,
    f"{SYSLINUX}/isohdpfx.bin": bytes(432),
}


def require(files: dict[str, bytes], folder: Path, image_json: bytes = b"{}") -> None:
    layout = oci.Layout(folder / "image")
    members = [oci.file(path, data) for path, data in files.items()]
    layout.add([oci.bootable(*members, bootloader=False, image_json=image_json)])
    request = Request(reference=str(layout.path), arch=Arch.X86_64, platforms=(), builds=folder / "builds")
    Live().require_layer(request, open_layer(request, Cache(folder / "cache"), Events()))


def error_of(files: dict[str, bytes], folder: Path, image_json: bytes = b"{}") -> str:
    with pytest.raises(BootimgError) as caught:
        require(files, folder, image_json)
    return caught.value.id


def test_a_complete_layer_needs_only_a_program(tmp_path: Path) -> None:
    """Which this machine may lack, or have too old."""
    try:
        require(COMPLETE, tmp_path)
    except BootimgError as error:
        assert error.id in ("live-program-too-old", "program-missing")


@pytest.mark.parametrize(
    ("left_out", "id"),
    [
        (PATH, "live-template-missing"),
        (GRUB, "live-template-invalid"),
        (HMAC, "live-kernel-hmac-missing"),
        (VENDOR, "efi-files-missing"),
        ("usr/lib/bootupd", "bootloader-missing"),
        (EXAMPLE, "live-features-malformed"),
    ],
)
def test_what_is_missing_is_named(left_out: str, id: str, tmp_path: Path) -> None:
    assert error_of({path: data for path, data in COMPLETE.items() if left_out not in path}, tmp_path) == id


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    """Boot code that looks for something else, options that bootimg does not pass on, two vendors."""
    wrong = COMPLETE | {f"{SYSLINUX}/isolinux.bin": b"other" * 99}
    assert error_of(wrong, tmp_path / "1") == "isolinux-invalid"
    options = b'{"size": 4, "live-rootfs-fsoptions": "-pf x"}'
    assert error_of(COMPLETE, tmp_path / "2", image_json=options) == "live-rootfs-unsupported"
    two = COMPLETE | {"usr/lib/bootupd/updates/EFI/fedora/grubx64.efi": b"grub"}
    assert error_of(two, tmp_path / "3") == "efi-files-missing"
