"""The bootloader of a base disk: one row an architecture, for layers that do not bring bootupd.

x86_64: GRUB for the BIOS in the BIOS-BOOT partition, the layer's shim and GRUB on the ESP, and one
static grub.cfg that reads the BLS entries.
"""

from __future__ import annotations

from os import fspath

from bootimg.appliance import Appliance
from bootimg.disk.grub import early_config, esp_stub, grub_cfg, mkimage_argv
from bootimg.disk.ostree_deploy import SYSROOT
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree

_BIOS_MODULES = "usr/lib/grub/i386-pc"
_BOOT = f"{SYSROOT}/boot"


def install_static_config(vm: Appliance) -> None:
    """Write /boot/grub2/grub.cfg."""
    vm.run(["mkdir", "-p", f"{_BOOT}/grub2"], timeout=60)
    vm.put(f"{_BOOT}/grub2/grub.cfg", grub_cfg().encode())


def install_esp(vm: Appliance, tree: Tree, *, static_config: bool) -> None:
    """Copy the layer's EFI binaries to the ESP, with the stub that leads from there to /boot."""
    payload = efi_payload(tree)
    vm.run(["mkdir", "-p", f"{_BOOT}/efi/EFI"], timeout=60)
    for folder in payload:
        vm.run(["cp", "-r", f"/{folder}/.", f"{_BOOT}/efi/EFI/"], timeout=120)
    if static_config:
        for vendor in efi_vendors(tree, payload):
            vm.put(f"{_BOOT}/efi/EFI/{vendor}/grub.cfg", esp_stub().encode())


def efi_payload(tree: Tree) -> list[str]:
    """The folders whose content belongs in /EFI of the ESP.

    Newer layers have usr/lib/efi/<name>/<version>/EFI, older ones usr/lib/bootupd/updates/EFI.
    """
    if tree.exists("usr/lib/bootupd/updates/EFI"):
        return ["usr/lib/bootupd/updates/EFI"]
    found = []
    if tree.exists("usr/lib/efi"):
        for name in tree.listdir("usr/lib/efi"):
            for version in tree.listdir(f"usr/lib/efi/{name}"):
                found.append(f"usr/lib/efi/{name}/{version}/EFI")
    if not found:
        raise BootimgError(
            "bootloader-missing",
            "the layer has no EFI bootloader to put on the disk",
            context=["looked in usr/lib/efi/*/*/EFI and usr/lib/bootupd/updates/EFI"],
            hint="install shim and GRUB in the layer the way bootupd expects them",
            exit_code=ExitCode.USAGE,
        )
    return found


def efi_vendors(tree: Tree, payload: list[str]) -> list[str]:
    """The vendor folders of the payload: all but BOOT."""
    return sorted({name for folder in payload for name in tree.listdir(folder) if name != "BOOT"})


def make_bios_core(vm: Appliance, tree: Tree) -> tuple[bytes, bytes]:
    """GRUB's boot sector and core image for the BIOS, as bytes; its modules are copied to /boot."""
    program = next((p for p in ("grub2-mkimage", "grub-mkimage") if tree.exists(f"usr/bin/{p}")), None)
    if program is None or not tree.exists(f"{_BIOS_MODULES}/boot.img"):
        raise BootimgError(
            "bootloader-missing",
            "the layer has no GRUB for the BIOS",
            context=[f"looked for usr/bin/grub2-mkimage, usr/bin/grub-mkimage and {_BIOS_MODULES}/boot.img"],
            hint="install grub2-pc and grub2-tools (Fedora), or grub-pc-bin and grub-common (Debian), there",
            exit_code=ExitCode.USAGE,
        )
    names = tree.listdir(_BIOS_MODULES)
    modules = {name.removesuffix(".mod") for name in names if name.endswith(".mod")}
    vm.put("/run/early.cfg", early_config().encode())
    argv = mkimage_argv(program, f"/{_BIOS_MODULES}", "/run/early.cfg", "/run/core.img", modules)
    vm.run([fspath(word) for word in argv], timeout=120)
    _copy_modules(vm, names)
    return tree.read(f"{_BIOS_MODULES}/boot.img"), vm.get("/run/core.img")


def _copy_modules(vm: Appliance, names: list[str]) -> None:
    target = f"{_BOOT}/grub2/i386-pc"
    wanted = [f"/{_BIOS_MODULES}/{name}" for name in names if name.endswith((".mod", ".lst"))]
    vm.run(["mkdir", "-p", target], timeout=60)
    vm.run(["cp", *wanted, target], timeout=120)
