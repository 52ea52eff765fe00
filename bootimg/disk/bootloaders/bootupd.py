"""The bootloader put on the disk by the layer's own bootupd, which then owns and updates it.

bootupd writes GRUB's static configuration, the ESP, GRUB for the BIOS and the state file from which
`bootupctl` on the running system knows what is installed.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.appliance import Appliance
from bootimg.disk.bootloaders.bootloader import BOOT, Installation
from bootimg.disk.bootloaders.efi_grub import efi_payload
from bootimg.disk.bootloaders.prep_grub import is_prep, prep_image
from bootimg.disk.ostree_deploy import SYSROOT
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.tree import Malformed

PROGRAM = "usr/bin/bootupctl"
FOLDER = "usr/lib/bootupd"
UPDATES = f"{FOLDER}/updates"
GRUB_INSTALL = "usr/sbin/grub2-install"
STATE = f"{BOOT}/bootupd-state.json"


def brings_bootupd(tree: Tree) -> bool:
    """Whether the layer has bootupd."""
    return tree.exists(PROGRAM)


class LayerBootupd:
    """The layer's bootupd, which installs all that the layer brings."""

    def unrealised(self, options: Bootupd, disk: Disk) -> Iterator[str]:
        """A partition for GRUB that is no PReP partition: elsewhere bootupd takes the whole disk."""
        bios = options.bios
        if bios is not None and bios.partition is not None and not is_prep(options, disk):
            yield "bios.partition"

    def require(self, recipe: Recipe, tools: Tree) -> None:
        """Each component's update metadata, without which bootupd leaves it out, and what it installs."""
        for name in sorted(_components(recipe)):
            _require_file(tools, name, f"{UPDATES}/{name}.json")
            if name == "BIOS":
                _require_file(tools, name, GRUB_INSTALL)
            else:
                efi_payload(tools)
        if recipe.bootloader is not None and is_prep(recipe.bootloader, recipe.disk):
            prep_image(tools)

    def install(self, installation: Installation) -> None:
        """Run it; what the recipe has a place for must be installed afterwards."""
        vm, recipe, options = installation.vm, installation.recipe, installation.options
        install(
            vm,
            device=vm.device(recipe.drive, options.bios.partition) if options.bios else None,
            static_configs=options.static_configs,
            components=_components(recipe),
        )


def _components(recipe: Recipe) -> frozenset[str]:
    """What the recipe has a place for, by bootupd's names."""
    efi = any(mount.target == "/boot/efi" for mount in recipe.mounts)
    bios = recipe.bootloader is not None and recipe.bootloader.bios is not None
    return frozenset(name for name, present in {"EFI": efi, "BIOS": bios}.items() if present)


def _require_file(tools: Tree, component: str, path: str) -> None:
    if not tools.exists(path):
        raise BootimgError(
            "bootloader-missing",
            f"the layer's bootupd cannot install its component {component}: /{path} is missing",
            hint="install the bootloader's packages in the layer, then run "
            "`bootupctl backend generate-update-metadata` there",
            exit_code=ExitCode.USAGE,
        )


def install(vm: Appliance, *, device: str | None, static_configs: bool, components: frozenset[str]) -> None:
    """Run bootupd, which installs all that it has, GRUB for the BIOS on `device` if that is given.

    The arguments are those of osbuild's stage org.osbuild.bootupd.  `components` (such as BIOS, EFI) must
    be in the state file afterwards, else the error is `bootupd-incomplete`.
    """
    argv = ["bootupctl", "backend", "install"]
    if device is not None:
        argv.append(f"--device={device}")
    if static_configs:
        argv.append("--with-static-configs")
    vm.run([*argv, SYSROOT], timeout=600)
    installed = _installed(vm)
    if missing := sorted(components - installed):
        raise BootimgError(
            "bootupd-incomplete",
            f"bootupd reported success, but has not installed {' and '.join(missing)}",
            context=[f"in its state file: {', '.join(sorted(installed)) or 'nothing'}", f"log: {vm.log}"],
            hint="look for what the layer has in /usr/lib/bootupd/updates: "
            "`bootupctl backend generate-update-metadata` writes it when the layer is made",
        )


def _installed(vm: Appliance) -> frozenset[str]:
    found = vm.run(["sh", "-c", f"test ! -e {STATE} || cat {STATE}"], timeout=60)
    try:
        return frozenset(parse_object(found).members("installed"))
    except Malformed:
        return frozenset()
