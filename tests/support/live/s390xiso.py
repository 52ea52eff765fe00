"""Small live ISOs of s390x, and a kernel that is none but begins and ends like one."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.kernelarg import KernelArgument
from bootimg.live.bootways.cdboot import cdboot_files
from bootimg.live.bootways.lpar import lpar_files
from bootimg.live.filledtemplate import filled_template
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.liveiso import LiveIso
from bootimg.live.miniso.pack import with_miniso
from bootimg.live.template import PATH
from tests.support.layers import oci
from tests.support.live.livefiles import TEMPLATE, initramfs, rootfs_image
from tests.support.live.liveiso import VOLUME, live_iso, part, write

TAIL = " ignition.firstboot ignition.platform.id=metal\n"
ARGUMENTS = [KernelArgument("mitigations=auto"), KernelArgument(f"coreos.liveiso={VOLUME.id}")]
# What head.S of the kernel has: a program status word, two channel commands, spaces in EBCDIC.
_START = bytes.fromhex("0008000080000200 0200001860000050 0200006860000050") + b"\x40" * 16


def s390x_kernel(size: int = 200_001, room: int = 4096) -> bytes:
    """A kernel that takes arguments of `room` bytes, the zero at their end included."""
    data = bytearray(bytes(range(1, 252)) * (size // 251 + 1))[:size]
    data[: len(_START)] = _START
    data[0x10008:0x1000E] = b"S390EP"
    data[0x10400:0x10480] = bytes(0x80)
    struct.pack_into(">Q", data, 0x10430, room)
    return bytes(data)


def layer_files() -> dict[str, bytes]:
    """What live media of s390x need of a layer beside what those of other architectures do."""
    return {
        f"{PATH}/zipl.prm": f"@@KERNEL-ARGS@@{TAIL}".encode(),
        f"usr/lib/modules/{oci.KERNEL}/vmlinuz": s390x_kernel(),
    }


def s390x_iso(folder: Path, **changes: Any) -> LiveIso:  # noqa: ANN401
    """A live ISO that breaks no rule, except for the changes; its boot image is in the folder."""
    rootfs = rootfs_image()
    kernel, initrd = folder / "kernel", folder / "initrd"
    kernel.write_bytes(s390x_kernel())
    initrd.write_bytes(initramfs(rootfs))
    row, template = boot_row(Arch.S390X), TEMPLATE | {"zipl.prm": b"@@KERNEL-ARGS@@" + TAIL.encode()}
    tree = filled_template(row, template, ARGUMENTS, None)
    made = live_iso(
        arch=Arch.S390X,
        template=tree.files,
        kargs_info=tree.kargs.json(),
        kernel=part(kernel.read_bytes()),
        initrd=part(initrd.read_bytes()),
        rootfs=part(rootfs),
        efi_image=b"",
        syslinux={},
        boot_files=[
            *cdboot_files(folder, kernel, initrd, tree.kargs.default),
            *lpar_files(initrd.stat().st_size, row.parameter_files),
        ],
    )
    return replace(made, **changes)


def written_s390x(folder: Path, **changes: Any) -> Path:  # noqa: ANN401
    """The ISO as a file in a folder, with the data for a minimal one."""
    folder.mkdir(exist_ok=True)
    iso = s390x_iso(folder, **changes)
    return write(with_miniso(iso.layout(), iso.minimal_layout()), folder / "live.iso").path


def files_of(iso: LiveIso) -> Mapping[str, bytes]:
    """The files of an ISO that are given as bytes."""
    files = iso.layout().files
    return {path: file.content for path, file in files.items() if isinstance(file.content, bytes)}
