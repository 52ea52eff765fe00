"""What a plan of live media refuses: each thing that a layer lacks, before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.cli.commands.build import artifact_table
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.live.features import EXAMPLE, INSTALLER
from bootimg.live.fsoptions import FsType
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.template import PATH
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.request import Artifact, Outcome, Request
from bootimg.orchestrator.targets.live import Live
from bootimg.orchestrator.targets.liveprogram import choose_for
from tests.support.arches import openfirmware
from tests.support.layers import oci
from tests.support.live.liveiso import SMALL
from tests.support.live.s390xiso import layer_files
from tests.unit.layer.test_declares import tree_of
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
    "usr/bin/sqfstar": b"program",
}
"""The files that live media need of a layer."""


def require(
    files: dict[str, bytes],
    folder: Path,
    image_json: bytes = b"{}",
    osname: str = "rhcos",
    arch: Arch = Arch.X86_64,
) -> None:
    layout = oci.Layout(folder / "image")
    members = [oci.file(path, data) for path, data in files.items()]
    layers = [oci.bootable(*members, bootloader=False, image_json=image_json)]
    layout.add(layers, labels=oci.LABELS | {"com.coreos.osname": osname}, arch=arch.oci)
    request = Request(reference=str(layout.path), arch=arch, platforms=(), builds=folder / "builds")
    Live().require_layer(request, open_layer(request, Cache(folder / "cache"), Events()))


def error_of(files: dict[str, bytes], folder: Path, image_json: bytes = b"{}") -> str:
    with pytest.raises(BootimgError) as caught:
        require(files, folder, image_json)
    return caught.value.id


def test_a_complete_layer_is_not_refused(tmp_path: Path) -> None:
    require(COMPLETE, tmp_path)


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


def test_a_name_that_leaves_no_room_for_the_version_is_refused(tmp_path: Path) -> None:
    """The volume id has 32 characters."""
    with pytest.raises(BootimgError, match="volume-id-invalid"):
        require(COMPLETE, tmp_path / "1", osname="x" * 31)


def test_files_of_syslinux_that_nobody_has_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.live.iso.syslinux._FOLDERS", ("nowhere",))
    assert error_of(COMPLETE, tmp_path) == "isolinux-missing"


def test_aarch64_needs_nothing_for_a_bios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the layer's menu for isolinux is: the ISO does not get it."""
    monkeypatch.setattr("bootimg.live.iso.syslinux._FOLDERS", ("nowhere",))
    other = COMPLETE | {ISOLINUX: AREA.replace("#", "##", 1).encode()}
    require(other, tmp_path / "1", arch=Arch.AARCH64)
    monkeypatch.undo()
    with pytest.raises(BootimgError, match="live-template-invalid"):
        require(other, tmp_path / "2")


def test_s390x_needs_a_line_of_arguments_and_a_kernel_that_loads_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the layer's boot menus and EFI programs are: the ISO does not get them."""
    monkeypatch.setattr("bootimg.live.iso.syslinux._FOLDERS", ("nowhere",))
    own = {path: data for path, data in COMPLETE.items() if "bootupd" not in path and path != GRUB}
    complete = own | layer_files()
    require(complete, tmp_path / "1", arch=Arch.S390X)
    [line, kernel] = layer_files()
    for number, (wrong, id) in enumerate(
        [
            (own | {kernel: complete[kernel]}, "live-template-invalid"),
            (complete | {line: b"root=/dev/vda"}, "live-template-invalid"),
            (complete | {kernel: b"\x7fELF"}, "live-kernel-unsupported"),
        ]
    ):
        with pytest.raises(BootimgError) as caught:
            require(wrong, tmp_path / f"wrong-{number}", arch=Arch.S390X)
        assert caught.value.id == id


def test_ppc64le_needs_grub_for_its_firmware_and_no_other(tmp_path: Path) -> None:
    """As the disk does, but with modules that read an ISO."""
    files = {path: data for path, data in COMPLETE.items() if "EFI" not in path or path == GRUB}
    grub = {info.name: data for info, data in openfirmware.files()}
    require(files | grub, tmp_path / "1", arch=Arch.PPC64LE)
    for number, left_out in enumerate(("kernel.img", "iso9660.mod", "search_label.mod")):
        fewer = {path: data for path, data in grub.items() if not path.endswith(f"/{left_out}")}
        with pytest.raises(BootimgError) as caught:
            require(files | fewer, tmp_path / f"without-{number}", arch=Arch.PPC64LE)
        assert caught.value.id == "bootloader-missing"
        assert left_out in " ".join(caught.value.context)


def test_the_layer_s_program_is_no_help_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = next(each for each in Arch if each is not Arch.of_machine())
    monkeypatch.setattr("bootimg.live.programs.choice.installed", lambda maker: None)
    with pytest.raises(BootimgError, match="live-program-too-old"):
        choose_for(foreign, FsType.SQUASHFS, tree_of(tmp_path, oci.file("usr/bin/sqfstar")), None)


def test_the_end_of_the_output_says_that_an_iso_cannot_install(tmp_path: Path) -> None:
    """As features.json of such an ISO does."""
    iso = Artifact(
        key="live-iso", path=tmp_path / "live.iso", size=1, sha256="0" * 64, seconds=1, cached=False,
        note="it cannot install",
    )  # fmt: skip
    outcome = Outcome(build_id="1", arch=Arch.X86_64, path=tmp_path, artifacts=(iso,), statistics={})
    assert "note: live.iso: it cannot install" in artifact_table(outcome).splitlines()
    assert iso.as_dict()["note"] == "it cannot install"
