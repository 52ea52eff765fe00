"""Disks of another architecture than this machine's: made where no program of the layer has to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.layer_deploy import DeployWay
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.orchestrator.plan import Plan, make_plan
from bootimg.orchestrator.request import Request
from bootimg.platform import platform, platforms
from tests.support.arches import openfirmware
from tests.support.layers import oci
from tests.support.layers.bootupdfiles import METADATA, bootupd_files
from tests.unit.disk.test_prep_grub import BOOTUPD as PREP_BOOTUPD

AARCH64, PPC64LE = Arch.AARCH64, Arch.PPC64LE
PAYLOAD = "usr/lib/efi/grub2/1/EFI"
EFI = (oci.file(f"{PAYLOAD}/BOOT/BOOTAA64.EFI", b"MZ1"), oci.file(f"{PAYLOAD}/redhat/grubaa64.efi", b"MZ2"))
BOOTUPD = tuple(oci.file(path, data) for path, data in bootupd_files("0.3.2").items())
OLD_BOOTUPD = (oci.file("usr/bin/bootupctl"), oci.file("usr/lib/bootupd/updates/EFI.json"))
BOOTC = b'{"size": 4, "bootc-install-to-fs": true}'
IMGREF = "ostree-unverified-registry:quay.io/example/os:latest"
# Every platform that coreos-assembler makes for aarch64, and the ends of their files' names.
IMAGES = {
    "applehv": "raw", "aws": "vmdk", "azure": "vhd", "gcp": "tar.gz", "hetzner": "raw", "hyperv": "vhdx",
    "metal": "raw", "metal4k": "raw", "openstack": "qcow2", "oraclecloud": "qcow2", "qemu": "qcow2",
}  # fmt: skip
PPC64LE_IMAGES = {
    "metal": "raw", "metal4k": "raw", "openstack": "qcow2", "powervs": "ova.gz", "qemu": "qcow2",
}  # fmt: skip
PREP = openfirmware.files()
X86_64 = tuple(oci.file(path, data) for path, data in oci.BOOTLOADER.items())
X86_64_BOOTUPD = (
    *(each for each in X86_64 if "i386-pc" in each[0].name),
    *(oci.file(path, data) for path, data in bootupd_files("0.3.2", "x64").items()),
    oci.file("usr/sbin/grub2-install"),
    oci.file("usr/lib/bootupd/updates/BIOS.json", METADATA),
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arch, "of_machine", lambda: Arch.X86_64)


def request_for(
    folder: Path,
    cache: Cache,
    *more: oci.Member,
    image_json: bytes = b'{"size": 4}',
    arch: Arch = AARCH64,
) -> Request:
    """For a layer that is in the cache, without a bootloader of x86_64."""
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable(*more, image_json=image_json, bootloader=False)], arch=arch.oci)
    image = fetch(str(layout.path), arch=arch, cache=cache, events=Events())
    open_tree(image, cache, Events())
    return Request(
        reference=str(layout.path),
        arch=arch,
        platforms=tuple(platform(name, arch) for name in images_of(arch)),
        builds=folder / "builds",
        accelerator="tcg",
    )


def images_of(arch: Arch) -> dict[str, str]:
    return PPC64LE_IMAGES if arch is PPC64LE else IMAGES


def why(plan: Plan) -> str:
    return next(each.why for each in plan.steps if each.name == "base")


def refused(request: Request, cache: Cache) -> BootimgError:
    with pytest.raises(BootimgError) as caught:
        make_plan(request, cache)
    return caught.value


@pytest.mark.parametrize("arch", [AARCH64, PPC64LE])
def test_the_platforms_of_the_architecture(arch: Arch) -> None:
    made = {each.name for each in platforms().values() if arch in each.arches and each.buildable}
    assert made == set(images_of(arch))


@pytest.mark.parametrize(
    ("arch", "bootloader"), [(AARCH64, EFI), (PPC64LE, PREP), (PPC64LE, [*PREP, *PREP_BOOTUPD])]
)
def test_every_platform_is_planned_natively(
    arch: Arch, bootloader: Sequence[oci.Member], tmp_path: Path, cache: Cache
) -> None:
    """Also where the layer has the bootupd of ppc64le: what that does is done as data."""
    plan = make_plan(request_for(tmp_path, cache, *bootloader, arch=arch), cache)
    version = oci.LABELS["org.opencontainers.image.version"]
    images = [f"rhcos-{version}-{name}.{arch}.{ending}" for name, ending in images_of(arch).items()]
    assert sorted(each.name for each in plan.artifacts) == sorted(
        [f"rhcos-{version}-ostree.{arch}.ociarchive", *images]
    )
    assert why(plan).endswith("; natively")


@pytest.mark.parametrize("bootupd", [False, True])
def test_so_is_every_disk_of_x86_64_elsewhere(
    bootupd: bool, tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GRUB's core image for the BIOS is written by bootimg, too; the disk with large sectors has none."""
    monkeypatch.setattr(Arch, "of_machine", lambda: AARCH64)
    for name in ("metal", "metal4k", "qemu"):
        folder = tmp_path / name
        request = request_for(folder, cache, *(X86_64_BOOTUPD if bootupd else X86_64), arch=Arch.X86_64)
        request = replace(request, platforms=(platform(name, Arch.X86_64),))
        assert why(make_plan(request, cache)).endswith("; natively")


def test_what_a_known_bootupd_leaves_is_data(tmp_path: Path, cache: Cache) -> None:
    plan = make_plan(request_for(tmp_path, cache, *BOOTUPD), cache)
    assert why(plan).endswith("; natively")


def test_a_bootupd_that_is_not_known_is_refused(tmp_path: Path, cache: Cache) -> None:
    error = refused(request_for(tmp_path, cache, *EFI, *OLD_BOOTUPD), cache)
    assert (error.id, error.exit_code) == ("arch-build-unsupported", ExitCode.USAGE)
    assert error.context == (
        "the layer's bootupd is for aarch64, and what it would write is not certain: "
        "the layer's package database has 0 packages bootupd, not one",
    )


@pytest.mark.parametrize("arch", [AARCH64, PPC64LE])
def test_a_layer_without_a_bootloader_is_refused(arch: Arch, tmp_path: Path, cache: Cache) -> None:
    assert refused(request_for(tmp_path, cache, arch=arch), cache).id == "bootloader-missing"


@pytest.mark.parametrize("way", [each for each in DeployWay if each is not DeployWay.NATIVE])
def test_another_way_is_refused(way: DeployWay, tmp_path: Path, cache: Cache) -> None:
    error = refused(replace(request_for(tmp_path, cache, *EFI), deploy=way), cache)
    assert error.id == "arch-build-unsupported"
    assert error.context == (f"--deploy {way} runs programs of the layer, and they are for aarch64",)


def test_a_layer_that_bootc_installs_is_refused(tmp_path: Path, cache: Cache) -> None:
    request = request_for(tmp_path, cache, *EFI, *oci.for_bootc(), image_json=BOOTC)
    error = refused(replace(request, target_imgref=IMGREF), cache)
    assert "bootc installs the layer by itself" in error.context[0]
