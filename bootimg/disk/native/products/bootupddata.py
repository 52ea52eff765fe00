"""What bootupd leaves on a disk, as data: no program runs.

`ByBootupd` lets the layer's bootupd make the same files, and the tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootimg.arch import Arch
from bootimg.arches.row import BootloaderKind
from bootimg.disk.bootloaders.bios_grub import bios_images
from bootimg.disk.bootloaders.bootloader import Placement
from bootimg.disk.bootloaders.bootupd import PROGRAM, UPDATES
from bootimg.disk.bootloaders.choice import arch_unsupported
from bootimg.disk.bootloaders.prep_grub import is_prep, prep_image
from bootimg.disk.native.products.bootupdconfig import CONFIGS, grub_files
from bootimg.disk.native.products.bootupdpayload import Payload, UnknownBootupdError, read_payload, vendor_of
from bootimg.disk.native.products.bootupdstate import (
    GRUB,
    Component,
    Metadata,
    own_metadata,
    read_metadata,
    state_json,
)
from bootimg.disk.native.products.bootupdversions import Behaviour, behaviour_of, known_versions
from bootimg.disk.native.products.products import Products
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Recipe
from bootimg.rpmdb.read import read_packages
from bootimg.sysroot.entries import Entry, text
from bootimg.sysroot.wanted import ESP_MOUNT
from bootimg.untrusted.tree import Malformed


def bootupd_as_data(recipe: Recipe, options: Bootupd, tools: Tree, arch: Arch, folder: Path) -> Products:
    """The products; `arch-build-unsupported` if it is not known what the layer's bootupd would leave.

    `folder` is for a temporary copy of the package database, which names bootupd's version.
    """
    try:
        prep = is_prep(options, recipe.disk)
        if not prep:
            _require_uefi(recipe, options, arch)
        bootupd = _known(tools, folder)
        if prep:
            return bootupd.products(options, code=prep_image(tools))
        code = bios_images(tools) if options.bios is not None else None
        return bootupd.products(options, code=code, arch=arch)
    except UnknownBootupdError as error:
        reason = f"the layer's bootupd is for {arch}, and what it would write is not certain: {error.reason}"
        raise arch_unsupported(arch, reason) from error


def _require_uefi(recipe: Recipe, options: Bootupd, arch: Arch) -> None:
    """UEFI alone, or UEFI and the BIOS."""
    if arch.row.uefi is None or (options.bios and BootloaderKind.BIOS_GRUB not in arch.row.bootloaders):
        raise UnknownBootupdError("it runs grub2-install for another firmware than UEFI and the BIOS")
    if all(mount.target != ESP_MOUNT for mount in recipe.mounts):
        raise UnknownBootupdError("the recipe has no EFI system partition")


def _known(tools: Tree, folder: Path) -> _KnownBootupd:
    version = _version(tools, folder)
    behaviour = behaviour_of(version)
    if behaviour is None:
        raise UnknownBootupdError(f"bootupd {version:.40} is not known; known are {known_versions()}")
    return _KnownBootupd(tools, version, behaviour)


def _version(tools: Tree, folder: Path) -> str:
    packages = read_packages(tools, folder) or []
    found = [each.version for each in packages if each.name == "bootupd"]
    if len(found) != 1:
        raise UnknownBootupdError(f"the layer's package database has {len(found)} packages bootupd, not one")
    return found[0]


@dataclass(frozen=True, slots=True)
class _KnownBootupd:
    """A layer's bootupd of a version whose behaviour is known."""

    tools: Tree
    version: str
    behaviour: Behaviour

    def products(self, options: Bootupd, *, code: Placement | None, arch: Arch | None = None) -> Products:
        """Those of the components BIOS, which is GRUB's `code`, and EFI, for the architecture with UEFI."""
        static = own_metadata(self.version, _program_time(self.tools)) if options.static_configs else None
        components, esp = {}, list[Entry]()
        if code is not None:
            components["BIOS"] = Component(_metadata(self.tools, "BIOS"))
        if arch is not None:
            payload = read_payload(self.tools, self.behaviour)
            components["EFI"] = Component(self._of_grub(_metadata(self.tools, "EFI")), payload.files)
            esp = self._esp(payload, options, arch)
        boot = [
            *grub_files(
                self.tools,
                self.behaviour,
                static_configs=options.static_configs,
                grub_install=code is not None,
            ),
            text("bootupd-state.json", state_json(self.behaviour, components, static), 0),
        ]
        # grub2-install also copies the modules.
        return Products(
            boot=sorted(boot, key=lambda each: each.path), esp=esp, code=code, lacks_modules=code is not None
        )

    def _esp(self, payload: Payload, options: Bootupd, arch: Arch) -> list[Entry]:
        found = dict(payload.entries)
        if options.static_configs:
            uefi = arch.row.uefi
            assert uefi is not None
            vendor = vendor_of(self.tools, self.behaviour, f"shim{uefi.name}.efi")
            stub = f"EFI/{vendor}/grub.cfg"
            found[stub] = text(stub, self.tools.read(f"{CONFIGS}/grub-static-efi.cfg"), 0)
        return sorted(found.values(), key=lambda each: each.path)

    def _of_grub(self, found: Metadata) -> Metadata:
        """The metadata of EFI without other bootloaders than GRUB."""
        if not self.behaviour.chooses:
            return found
        if found.default != "Grub" and (found.default is not None or found.loaders != [GRUB]):
            raise UnknownBootupdError(
                "the layer has another bootloader than GRUB, or does not say which one it has"
            )
        return found.without_other_loaders()


def _program_time(tools: Tree) -> int:
    """When the program was last changed, in seconds since 1970."""
    path = tools.resolve(PROGRAM)
    assert path is not None
    return tools.entries[path].mtime


def _metadata(tools: Tree, component: str) -> Metadata:
    path = f"{UPDATES}/{component}.json"
    try:
        return read_metadata(tools.read(path))
    except Malformed as error:
        raise UnknownBootupdError(f"/{path}: {error}") from error
