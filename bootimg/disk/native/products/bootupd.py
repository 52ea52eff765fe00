"""What the layer's bootupd leaves on a disk, made on a scratch disk of the recipe's layout.

bootupd copies the EFI programs, runs grub2-install, and writes GRUB's static configuration and a state file.
It needs devices and mounts, but neither a deployment nor anything else of the layer.  The times in the state
file are those of the layer's update metadata and, for the static configuration, the program's modification
time (bootupd.rs, get_static_config_meta); the clock is not among them.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from bootimg.disk import emptydisk, filesystems
from bootimg.disk.base import disk_gpt, target_drive
from bootimg.disk.bootloaders.bios_grub import MODULES
from bootimg.disk.bootloaders.bootcode import read_boot_code
from bootimg.disk.bootloaders.bootloader import Installation
from bootimg.disk.bootloaders.bootupd import FOLDER, PROGRAM, LayerBootupd
from bootimg.disk.gpt import write_gpt
from bootimg.disk.native.products.layerfiles import describe, key_of
from bootimg.disk.native.products.products import Products, StartAppliance
from bootimg.disk.native.products.readback import boot_entries, esp_entries
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Recipe
from bootimg.sysroot.wanted import BOOT_MOUNT, ESP_MOUNT, ROOT_MOUNT, made_directories

_FORMAT = 1
"""Counted up when the same inputs give other products."""
_EFI = ("usr/lib/efi",)
# The modules, fonts, themes and translations that grub2-install copies, and its settings.
_GRUB = (MODULES, "usr/share/grub", "etc/default/grub", "etc/default/grub.d")
_LOCALES = "usr/share/locale"
_PROGRAM_FOLDERS = ("usr/bin", "usr/sbin", "usr/libexec")
_PROGRAMS = ("bootup", "grub")


@dataclass(frozen=True)
class ByBootupd:
    """Makes the products with the layer's bootupd."""

    recipe: Recipe
    options: Bootupd
    tools: Tree

    @cached_property
    def key(self) -> str:
        """The programs of bootupd and GRUB, what they read, the options, and the layout of the disk.

        Libraries, util-linux and coreutils are not part of it: they do not change what is written.
        """
        program = self.tools.resolve(PROGRAM)
        return key_of(
            {
                "way": ["bootupd", _FORMAT],
                "options": asdict(self.options),
                "layout": _layout(self.recipe),
                "files": describe(self.tools, _paths(self.tools)),
                "program's time": self.tools.entries[program].mtime if program else None,
            }
        )

    def make(self, start: StartAppliance, scratch: Path) -> Products:
        """Run bootupd, and read what it has left; NativeUnsupportedError for files that are not known."""
        with tempfile.TemporaryDirectory(dir=scratch, prefix="bootloader.") as name:
            return self._make(start, Path(name))

    def _make(self, start: StartAppliance, scratch: Path) -> Products:
        recipe, disk = self.recipe, scratch / "disk.raw"
        # The GUIDs that the recipe leaves open are not the layer's: no product may depend on them.
        gpt = disk_gpt(recipe.disk, self.key)
        write_gpt(disk, gpt)
        with start([target_drive(recipe, disk)]) as vm:
            emptydisk.make_filesystems(vm, recipe)
            filesystems.mount(vm, recipe, recipe.drive, recipe.mounts)
            LayerBootupd().install(Installation(vm=vm, recipe=recipe, options=self.options, tools=self.tools))
            filesystems.unmount(vm, recipe.mounts, trim=False)
        spans = {mount.target: gpt.span(mount.partition) for mount in recipe.mounts}
        made = made_directories(recipe)[BOOT_MOUNT]
        return Products(
            boot=boot_entries(disk, *spans[BOOT_MOUNT], scratch=scratch, made=frozenset(made)),
            esp=esp_entries(disk, *spans[ESP_MOUNT], scratch=scratch) if ESP_MOUNT in spans else (),
            code=read_boot_code(disk, gpt) if self.options.bios is not None else None,
        )


def _paths(tree: Tree) -> list[str]:
    """The files and folders that bootupd and grub2-install are made of, or read."""
    programs = [
        f"{folder}/{name}"
        for folder in _PROGRAM_FOLDERS
        for name in tree.listdir(folder)
        if name.startswith(_PROGRAMS)
    ]
    locales = [f"{_LOCALES}/{name}/LC_MESSAGES/grub.mo" for name in tree.listdir(_LOCALES)]
    return [FOLDER, *_EFI, *_GRUB, *programs, *locales]


def _layout(recipe: Recipe) -> object:
    """The disk as far as a bootloader sees it: the size of the root depends on the rest of the layer."""
    targets = {mount.partition: mount.target for mount in recipe.mounts}
    partitions = [asdict(part) for part in recipe.disk.partitions]
    for part in partitions:
        if targets.get(part["number"]) == ROOT_MOUNT:
            del part["size"]
    return {
        "sector size": recipe.disk.sector_size,
        "label": recipe.disk.label,
        "partitions": partitions,
        "file systems": [[type(each).__name__, asdict(each)] for each in recipe.filesystems],
        "mounts": [asdict(mount) for mount in recipe.mounts],
        "directories": [asdict(each) for each in recipe.directories],
    }
