"""The virtual machine that boots an image, as QEMU's command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bootimg.arch import Arch
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.diskimage import DiskImage
from bootimg.vm.drives import (
    DataDrive,
    TargetDisk,
    cd_options,
    data_options,
    disk_options,
    target_options,
)
from bootimg.vm.firmware import Flash
from bootimg.vm.network import RESTRICTED


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder of this machine that the guest sees, read-only, under a 9p mount tag."""

    tag: str
    source: Path


@dataclass(frozen=True, slots=True)
class DirectBoot:
    """A kernel that QEMU itself starts, with an initramfs and arguments, as a boot from the network does."""

    kernel: Path
    initrd: Path
    arguments: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that boots a `disk`, a `cd`, or a kernel without a boot loader (`direct`).

    Without `write` the disk stays as it is: what the guest writes goes to a temporary overlay.  `target` is
    an empty disk beside a CD or a kernel.  `data` is a drive that is only read.  `console` is where the
    serial port goes: `stdio` for a terminal, or a log file (what is written to QEMU's stdin is typed there
    then).  `netdev` is QEMU's option of that name for the network device `net`, None for a machine without
    one.  `cpus` is the accelerator's choice where it is None.  `options` are words of QEMU's own that come
    after all others: more drives, another network.
    """

    arch: Arch
    accelerator: Accelerator
    console: Path | Literal["stdio"]
    disk: DiskImage | None = None
    cd: DiskImage | None = None
    direct: DirectBoot | None = None
    target: TargetDisk | None = None
    data: DataDrive | None = None
    flash: Flash | None = None
    memory_mib: int = 2048
    cpus: int | None = None
    write: bool = False
    ignition: Path | None = None
    netdev: str | None = RESTRICTED
    binds: Sequence[Bind] = field(default_factory=tuple)
    reboot: bool = True
    options: Sequence[str] = ()

    @property
    def keeps_writes(self) -> bool:
        """Whether what the guest writes to its disks is still there after the run."""
        return self.write or self.target is not None

    def argv(self, qemu: Path) -> list[str]:
        """The command line."""
        return [
            str(qemu),
            *self._base(),
            *self._firmware(),
            *self._drives(),
            *self._direct(),
            *self._ignition(),
            *self._console(),
            *self._network(),
            *self._binds(),
            *("-device", f"virtio-rng-{self.arch.row.hardware.bus}"),
            *self.options,
        ]

    def _base(self) -> list[str]:
        hardware, kvm = self.arch.row.hardware, self.accelerator.name == "kvm"
        words = ["-machine", hardware.machine + ("" if kvm else hardware.tcg_machine_options)]
        words += ["-accel", "kvm" if kvm else "tcg,thread=multi", "-cpu", "host" if kvm else hardware.tcg_cpu]
        words += ["-smp", str(self.cpus or self.accelerator.cpus), "-m", str(self.memory_mib)]
        words += ["-nodefaults", "-display", "none", "-name", "bootimg"]
        return words if self.reboot else [*words, "-no-reboot"]

    def _firmware(self) -> list[str]:
        if self.flash is None:
            return []
        code, variables, kind = _escaped(self.flash.code), _escaped(self.flash.variables), self.flash.format
        return [
            *("-drive", f"if=pflash,unit=0,format={kind},readonly=on,file={code}"),
            *("-drive", f"if=pflash,unit=1,format={kind},file={variables}"),
        ]

    def _drives(self) -> list[str]:
        hardware, words = self.arch.row.hardware, list[str]()
        if self.disk is not None:
            words += disk_options(self.disk, hardware.bus, write=self.write)
        if self.target is not None:
            words += target_options(self.target, hardware.bus, after_cd=hardware.cd_first)
        if self.cd is not None:
            words += cd_options(self.cd, hardware.cd)
        if self.data is not None:
            words += data_options(self.data, hardware.bus)
        return words

    def _direct(self) -> list[str]:
        if self.direct is None:
            return []
        kernel, initrd = str(self.direct.kernel.absolute()), str(self.direct.initrd.absolute())
        return ["-kernel", kernel, "-initrd", initrd, "-append", " ".join(self.direct.arguments)]

    def _ignition(self) -> list[str]:
        if self.ignition is None:
            return []
        if self.arch.row.hardware.ignition == "fw_cfg":
            return ["-fw_cfg", f"name=opt/com.coreos/config,file={_escaped(self.ignition)}"]
        return [
            *("-drive", f"if=none,id=ignition,format=raw,readonly=on,file={_escaped(self.ignition)}"),
            *("-device", f"virtio-blk-{self.arch.row.hardware.bus},serial=ignition,drive=ignition"),
        ]

    def _console(self) -> list[str]:
        if self.console == "stdio":
            return ["-serial", "mon:stdio"]
        log = f"stdio,id=console,signal=off,logfile={_escaped(self.console)},logappend=off"
        return ["-monitor", "none", "-chardev", log, "-serial", "chardev:console"]

    def _network(self) -> list[str]:
        if self.netdev is None:
            return []
        return ["-netdev", self.netdev, "-device", f"virtio-net-{self.arch.row.hardware.bus},netdev=net"]

    def _binds(self) -> list[str]:
        options = "security_model=none,readonly=on,multidevs=remap"
        words: list[str] = []
        for bind in self.binds:
            words += ["-virtfs", f"local,path={_escaped(bind.source)},mount_tag={bind.tag},{options}"]
        return words


def _escaped(path: Path) -> str:
    """A path as a value in QEMU's option lists, where a comma is written twice."""
    return str(path.absolute()).replace(",", ",,")
