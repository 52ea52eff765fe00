"""Layers whose disks are made within seconds: a tree of ostree with a bootloader for UEFI, and no program."""

from __future__ import annotations

from pathlib import Path

from bootimg.sizes import MIB
from tests.support import oci
from tests.unit.disk.test_native_base import OSTREE

ARCHES = {"x86_64": ("amd64", "x64"), "aarch64": ("arm64", "aa64")}
"""The architectures, with their names in OCI images and in UEFI's file names."""


def write_layer(folder: Path, version: str, stream: str) -> Path:
    """The archive of an index for both architectures, in a new folder."""
    layout = oci.Layout(folder / "image")
    labels = {
        **oci.LABELS, "org.opencontainers.image.version": version, "com.coreos.stream": stream,
    }  # fmt: skip
    images = {
        name: layout.image(_layers(efi), labels=labels, arch=name) for name, efi in ARCHES.values()
    }
    layout.index(images)
    return layout.archive(folder / "layer.ociarchive")


def _layers(efi: str) -> list[bytes]:
    loaders = {f"BOOT/BOOT{efi.upper()}.EFI": b"MZ1", f"redhat/grub{efi}.efi": b"MZ2"}
    files = [oci.file(f"{oci.EFI_PAYLOAD}/{name}", data) for name, data in loaders.items()]
    # mkfs.xfs makes no file system under 300 MiB: files of 40 MiB ask for a larger one.
    content = [oci.file(f"usr/share/content/{each}", b"%4d" % each * (MIB // 4)) for each in range(40)]
    system = [oci.file("usr/bin/ostree", OSTREE), oci.file("etc/hostname", b"stand-in\n")]
    return [oci.bootable(*files, bootloader=False), oci.tar(*system, *content)]
