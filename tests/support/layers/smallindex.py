"""An index of small layers of two architectures, whose disks are made natively within seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bootimg.sizes import MIB
from tests.support.layers import oci
from tests.unit.disk.test_native_base import FILES

EFI = {
    f"{oci.EFI_PAYLOAD}/BOOT/BOOTAA64.EFI": b"MZ1",
    f"{oci.EFI_PAYLOAD}/redhat/grubaa64.efi": b"MZ2",
}
"""What a layer of aarch64 without bootupd must have for its bootloader."""


def small_images(layout: oci.Layout, *, bootable: bool = True) -> dict[str, dict[str, Any]]:
    """An image for x86_64 and one for aarch64; if not `bootable`, that of aarch64 has no bootloader."""
    # mkfs.xfs makes no file system under 300 MiB: files of 40 MiB ask for a larger one.
    content = [oci.file(f"usr/share/content/{each}", b"%4d" % each * (MIB // 4)) for each in range(40)]
    more = oci.tar(*(oci.file(name, data) for name, data in FILES.items()), *content)
    efi = [oci.file(name, data) for name, data in EFI.items()] if bootable else []
    return {
        "amd64": layout.image([oci.bootable(), more]),
        "arm64": layout.image([oci.bootable(*efi, bootloader=False), more], arch="arm64"),
    }


def small_index(folder: Path, *, bootable: bool = True) -> Path:
    """The archive of the index, in a new folder."""
    layout = oci.Layout(folder / "image")
    layout.index(small_images(layout, bootable=bootable))
    return layout.archive(folder / "small.ociarchive")
