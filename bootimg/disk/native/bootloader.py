"""The bootloader's files as entries: what the layer's bootupd or our own rows put on /boot and the ESP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bootimg.disk.bootloaders.bios_grub import BOOT_FOLDER, MODULES, bios_images
from bootimg.disk.bootloaders.efi_grub import efi_payload, efi_vendors
from bootimg.disk.bootloaders.grub import esp_stub, grub_cfg
from bootimg.disk.bootloaders.grubmodules import is_boot_file
from bootimg.disk.bootloaders.openfirmware import MODULES as PREP_MODULES
from bootimg.disk.bootloaders.prep_grub import BOOT_FOLDER as PREP_FOLDER
from bootimg.disk.bootloaders.prep_grub import is_prep, prep_image
from bootimg.disk.native.products.products import Products
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Fat, Recipe
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.entries import Entry, directory, text
from bootimg.sysroot.payload import payload

_EFI = "EFI"


def bootloader_of(recipe: Recipe, tools: Tree, commit: Commit, made: Products | None, now: int) -> Products:
    """All that the bootloader has on the disk; `made` is what the layer's bootupd leaves, if there is one.

    All times are `now`, in nanoseconds.
    """
    options = recipe.bootloader
    if options is None:
        return Products()
    prep = is_prep(options, recipe.disk)
    if made is not None:
        modules = list(_modules(options, commit, now, prep=prep)) if made.lacks_modules else []
        return replace(
            made, boot=[*_at(made.boot, now), *modules], esp=_at(made.esp, now), lacks_modules=False
        )
    boot = [*_configuration(options, now), *_modules(options, commit, now, prep=prep)]
    if prep:
        return Products(boot=boot, code=prep_image(tools))
    has_esp = any(isinstance(each, Fat) for each in recipe.filesystems)
    return Products(
        boot=boot,
        esp=esp_files(options, commit, tools, now) if has_esp else (),
        code=bios_images(tools) if options.bios is not None else None,
    )


def _modules(options: Bootupd, commit: Commit, now: int, *, prep: bool) -> Iterator[Entry]:
    """GRUB's modules, from the root of the boot partition; none where UEFI alone starts the disk."""
    if options.bios is not None:
        folder, target = (PREP_MODULES, PREP_FOLDER) if prep else (MODULES, BOOT_FOLDER)
        yield from payload(commit, folder, target, now, wanted=is_boot_file)


def _at(entries: Iterable[Entry], now: int) -> list[Entry]:
    return [replace(entry, mtime=now) for entry in entries]


def _configuration(options: Bootupd, now: int) -> Iterator[Entry]:
    folder, _, _ = BOOT_FOLDER.partition("/")
    if options.static_configs or options.bios is not None:
        yield directory(folder, 0o755, now)
    if options.static_configs:
        yield text(f"{folder}/grub.cfg", grub_cfg().encode(), now)


def efi_programs(commit: Commit, tools: Tree, now: int) -> list[Entry]:
    """The layer's EFI programs, from the root of the ESP; `bootloader-missing` if it has none."""
    found: dict[bytes, Entry] = {}
    for folder in efi_payload(tools):
        # Several folders may have the directory of one vendor.
        found |= {entry.path: entry for entry in payload(commit, folder, _EFI, now)}
    return list(found.values())


def esp_files(options: Bootupd, commit: Commit, tools: Tree, now: int) -> list[Entry]:
    """The layer's EFI programs and the stubs of their vendors, from the root of the ESP."""
    found = {entry.path: entry for entry in efi_programs(commit, tools, now)}
    if options.static_configs:
        for vendor in efi_vendors(tools, efi_payload(tools)):
            stub = text(f"{_EFI}/{vendor}/grub.cfg", esp_stub().encode(), now)
            found[stub.path] = stub
    return list(found.values())
