"""The files for PXE in a virtual machine, as a server without HTTP gives them: the rootfs is an initramfs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg.atomic import require_space
from bootimg.errors import BootimgError, ExitCode
from bootimg.live import cpio
from bootimg.live.booting.arch import serial_console
from bootimg.live.embed.pxe import wrap_ignition
from bootimg.sizes import MIB, format_size
from bootimg.vm.machine import DirectBoot, Machine

ARGUMENTS = ("ignition.firstboot", "ignition.platform.id=metal")
"""What a live system needs to run Ignition, which an ISO has among its kernel arguments."""
ROOTFS_URL = "coreos.live.rootfs_url="


@dataclass(frozen=True, slots=True, kw_only=True)
class BootablePxe:
    """The live files of a build; `scratch` is a folder with room for a copy of them.

    `kargs` are added for the run.  With one that names a URL of the rootfs, only the server gives it.
    """

    kernel: Path
    initramfs: Path
    rootfs: Path
    scratch: Path
    kargs: tuple[str, ...] = ()
    config: bytes | None = None

    def put_into(self, machine: Machine, config: bytes, folder: Path) -> Machine:
        """The machine with the kernel and all initramfs: `live-memory-too-small`, `no-space-left`.

        It ends when the live system reboots, because QEMU would only start the same kernel again.
        """
        fetched = any(each.startswith(ROOTFS_URL) for each in self.kargs)
        files = [self.initramfs] if fetched else [self.initramfs, self.rootfs]
        _require_memory(files, machine.memory_mib * MIB)
        initrd = self.scratch / "initrd"
        write_initrd(initrd, [*files, wrap_ignition(config)])
        arguments = (*ARGUMENTS, serial_console(machine.arch), *self.kargs)
        return replace(machine, direct=DirectBoot(self.kernel, initrd, arguments), reboot=False)


def write_initrd(path: Path, parts: Iterable[Path | bytes]) -> None:
    """Write initramfs, each a file or its content, one after another to a file."""
    parts = list(parts)
    require_space(path.parent, sum(each.stat().st_size for each in parts if isinstance(each, Path)))
    with path.open("wb") as out:
        for each in parts:
            if isinstance(each, bytes):
                out.write(each)
            else:
                with each.open("rb") as part:
                    shutil.copyfileobj(part, out, MIB)
            out.write(cpio.padding(out.tell()))


def _require_memory(files: Iterable[Path], memory: int) -> None:
    """The kernel keeps what it unpacks in at most half of the memory."""
    size = sum(each.stat().st_size for each in files)
    if 2 * size > memory:
        raise BootimgError(
            "live-memory-too-small",
            f"the live system has {format_size(size)}, and the machine {format_size(memory)} of memory",
            hint=f"give it more than {format_size(2 * size)} with --memory",
            exit_code=ExitCode.USAGE,
        )
