"""GRUB for UEFI: the layer's EFI programs on the ESP, with stubs that lead from there to /boot."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.disk.bootloaders.bootloader import BOOT, Installation
from bootimg.disk.bootloaders.grub import esp_stub
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe


class EfiGrub:
    """The layer's shim and GRUB, copied unchanged."""

    def unrealised(self, options: Bootupd, disk: Disk) -> Iterator[str]:
        """Nothing."""
        yield from ()

    def require(self, recipe: Recipe, tools: Tree) -> None:
        """The EFI programs."""
        efi_payload(tools)

    def install(self, installation: Installation) -> None:
        """Copy the programs and, with `static-configs`, write a stub for each vendor."""
        vm, tools = installation.vm, installation.tools
        payload = efi_payload(tools)
        vm.run(["mkdir", "-p", f"{BOOT}/efi/EFI"], timeout=60)
        for folder in payload:
            vm.run(["cp", "-r", f"/{folder}/.", f"{BOOT}/efi/EFI/"], timeout=120)
        if installation.options.static_configs:
            for vendor in efi_vendors(tools, payload):
                vm.put(f"{BOOT}/efi/EFI/{vendor}/grub.cfg", esp_stub().encode())


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
