"""The bootloader's files as entries: what the bootloaders of our own rows put on /boot and the ESP.

The core image of GRUB for the BIOS is not among them: the layer's program makes it (see `grubcore`).
"""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.disk.bootloaders.bios_grub import BOOT_FOLDER, MODULES, is_boot_file
from bootimg.disk.bootloaders.efi_grub import efi_payload, efi_vendors
from bootimg.disk.bootloaders.grub import esp_stub, grub_cfg
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.entries import Entry, directory, text
from bootimg.sysroot.payload import payload

_EFI = "EFI"


def boot_files(options: Bootupd, commit: Commit, now: int) -> Iterator[Entry]:
    """GRUB's configuration and modules, from the root of the boot partition; `now` in nanoseconds."""
    folder, _, _ = BOOT_FOLDER.partition("/")
    if options.static_configs or options.bios is not None:
        yield directory(folder, 0o755, now)
    if options.static_configs:
        yield text(f"{folder}/grub.cfg", grub_cfg().encode(), now)
    if options.bios is not None:
        yield from payload(commit, MODULES, BOOT_FOLDER, now, wanted=is_boot_file)


def esp_files(options: Bootupd, commit: Commit, tools: Tree, now: int) -> list[Entry]:
    """The layer's EFI programs and the stubs of their vendors, from the root of the ESP."""
    folders = efi_payload(tools)
    found: dict[bytes, Entry] = {}
    for folder in folders:
        # Several folders may have the directory of one vendor.
        found |= {entry.path: entry for entry in payload(commit, folder, _EFI, now)}
    if options.static_configs:
        for vendor in efi_vendors(tools, folders):
            stub = text(f"{_EFI}/{vendor}/grub.cfg", esp_stub().encode(), now)
            found[stub.path] = stub
    return list(found.values())
