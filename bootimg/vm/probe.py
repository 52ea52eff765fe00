"""The choice of the accelerator.

/dev/kvm may open, make a VM and even run a whole BIOS while a Linux guest hangs in its first instructions.
So KVM is used only after a Linux kernel (the appliance's) has run under it up to the search for its root.
The result is kept until the machine reboots or the kernel or QEMU changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import subprocess
import time
from pathlib import Path

from bootimg import process
from bootimg.arch import Arch
from bootimg.atomic import temporary_folder, write_whole
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.kernel import Kernel, find_kernel
from bootimg.vm.qemu import Program, require_system

__all__ = ["Accelerator", "choose_accelerator", "kernel_fault", "known_accelerator"]

KVM = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DEADLINE = 8.0
BEGUN = re.compile(rb"Linux version ")
# With an empty initramfs and no disk no kernel gets further than this.
REACHED = re.compile(rb"Unable to mount root|No working init found|Run /init|Cannot open root device")
# An empty newc archive: only its trailer (Documentation/driver-api/early-userspace/buffer-format.rst).
EMPTY_INITRAMFS = (b"070701" + b"0" * 8 * 11 + b"0000000B" + b"0" * 8 + b"TRAILER!!!\0").ljust(512, b"\0")


def choose_accelerator(
    choice: str, cache: Cache, events: Events | None = None, arch: Arch | None = None
) -> Accelerator:
    """The accelerator for guests of `arch` (this machine's by default); `choice` is auto, kvm or tcg.

    If /dev/kvm opens, the first call takes seconds.  `kvm-unusable` if `choice` is kvm and KVM does not
    run a Linux guest; `accelerator-unknown` for another choice.
    """
    if choice not in ("auto", "kvm", "tcg"):
        raise BootimgError(
            "accelerator-unknown",
            f"{choice} is not an accelerator",
            hint="use auto, kvm or tcg",
            exit_code=ExitCode.USAGE,
        )
    if choice == "tcg":
        return Accelerator("tcg", "asked for")
    fault = _kvm_fault(cache, events or Events(), arch or Arch.of_machine(), required=choice == "kvm")
    if fault is None:
        return Accelerator("kvm", "a Linux guest runs")
    if choice == "kvm":
        raise BootimgError(
            "kvm-unusable",
            f"KVM cannot be used: {fault}",
            hint="leave --accel away, or use --accel tcg (slower, needs no KVM)",
            exit_code=ExitCode.ENVIRONMENT,
        )
    return Accelerator("tcg", fault)


def known_accelerator(choice: str, cache: Cache, arch: Arch | None = None) -> Accelerator | None:
    """The result of `choose_accelerator`, or None if that would have to boot a guest."""
    if choice == "tcg":
        return Accelerator("tcg", "asked for")
    if fault := _unavailable(arch or Arch.of_machine()):
        return Accelerator("tcg", fault)
    verdict, _ = _verdict(cache, require_system(), find_kernel())
    if not verdict.exists():
        return None
    fault = json.loads(verdict.read_bytes())["fault"]
    return Accelerator("tcg", _hanging(fault)) if fault else Accelerator("kvm", "a Linux guest runs")


def _unavailable(arch: Arch) -> str | None:
    """Why KVM cannot be used, or None; no guest is booted."""
    if arch is not Arch.of_machine():
        return f"{arch} is not this machine's architecture"
    if not KVM.exists():
        return f"there is no {KVM}"
    try:
        os.close(os.open(KVM, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{KVM} does not open: {error.strerror}"
    return None


def _kvm_fault(cache: Cache, events: Events, arch: Arch, *, required: bool) -> str | None:
    if fault := _unavailable(arch):
        return fault
    qemu = require_system(arch)
    try:
        kernel = find_kernel()
    except BootimgError:
        if required:
            raise
        return "no kernel was found to test kvm with"
    return _tested(cache, events, qemu, kernel)


def _verdict(cache: Cache, qemu: Program, kernel: Kernel) -> tuple[Path, list[object]]:
    """The file of the verdict, and the facts that the verdict is valid for."""
    stat = KVM.stat()
    facts: list[object] = [
        kernel.identity,
        str(qemu.path),
        qemu.raw,
        stat.st_ino,
        stat.st_rdev,
        BOOT_ID.read_text().strip(),
    ]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return cache.root / "probe" / f"{key}.json", facts


def _tested(cache: Cache, events: Events, qemu: Program, kernel: Kernel) -> str | None:
    verdict, facts = _verdict(cache, qemu, kernel)
    cache.folder("probe")
    with cache.locked("probe", events):
        if verdict.exists():
            fault = json.loads(verdict.read_text())["fault"]
        else:
            with events.step("kvm", "test KVM with a Linux guest") as step:
                fault = kernel_fault("kvm", qemu, kernel, DEADLINE)
                step.result(fault or "works")
            write_whole(verdict, json.dumps({"fault": fault, "facts": facts}).encode())
    return _hanging(fault) if fault else None


def _hanging(fault: str) -> str:
    return f"kvm opens but a guest does not run: {fault}"


def kernel_fault(accel: str, qemu: Program, kernel: Kernel, deadline: float) -> str | None:
    """Boot the kernel with an empty initramfs; None if it looks for its root within `deadline` seconds."""
    with temporary_folder("bootimg-probe-") as folder:
        initramfs = folder / "initramfs"
        initramfs.write_bytes(EMPTY_INITRAMFS)
        argv = _probe_argv(accel, qemu, kernel, initramfs)
        with process.spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, tied=True) as child:
            assert child.stdout
            return _fault(child.stdout.fileno(), deadline)


def _probe_argv(accel: str, qemu: Program, kernel: Kernel, initramfs: Path) -> list[str]:
    hardware = Arch.of_machine().row.hardware
    cpu = "host" if accel == "kvm" else hardware.tcg_cpu
    console = f"console={hardware.console} panic=-1 rdinit=/none"
    return [
        str(qemu.path),
        *("-machine", hardware.machine, "-accel", accel, "-cpu", cpu),
        *("-m", "512", "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot"),
        *("-serial", "stdio", "-kernel", str(kernel.path), "-initrd", str(initramfs), "-append", console),
    ]


def _fault(descriptor: int, deadline: float) -> str | None:
    output, over = b"", time.monotonic() + deadline
    while not (BEGUN.search(output) and REACHED.search(output)):
        if not select.select([descriptor], [], [], max(0.0, over - time.monotonic()))[0]:
            begun = "begins and stops" if BEGUN.search(output) else "writes nothing"
            return f"a kernel {begun} within {deadline:.0f} s"
        data = os.read(descriptor, 65536)
        if not data:
            return "QEMU ended" + "".join(f": {line}" for line in _complaints(output)[:1])
        output += data
    return None


def _complaints(output: bytes) -> list[str]:
    lines = output.decode(errors="replace").splitlines()
    return [line.partition(": ")[2].removeprefix("error: ") for line in lines if line.startswith("qemu-")]
