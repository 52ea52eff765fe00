"""GRUB's configuration for layers without bootupd, which all its variants share.

One static grub.cfg for BIOS and UEFI.  It has no menu entries of its own: `blscfg` makes them from
/loader/entries on the boot partition.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from bootimg.disk.bootloaders.bootloader import BOOT, Installation
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe

BOOT_LABEL = "boot"
PREFIX = "(,gpt3)/grub2"
"""Partition 3 of the disk GRUB was started from: where /boot is in every CoreOS image."""
_MODULES = (
    "part_gpt", "part_msdos", "mdraid1x", "ext2", "xfs", "search", "search_label",
    "search_fs_uuid", "search_fs_file", "normal", "configfile", "test", "true", "regexp", "echo", "cat", "ls",
    "loadenv", "minicmd", "linux", "boot", "gzio", "serial", "terminal", "sleep", "reboot", "halt",
    "password_pbkdf2",
)  # fmt: skip
_OPTIONAL = ("terminfo", "probe", "keystatus")
_BIOS = ("biosdisk",)

_GRUB_CFG = """\
# Written when the disk was made.  The menu comes from the Boot Loader Specification entries in
# /loader/entries; local additions belong in user.cfg (password) and custom.cfg beside this file.

set timeout=1
set timeout_style=menu

# Old GRUBs look for the entries on $boot, newer ones on $root.
set boot="${root}"

if [ -f "${prefix}/grubenv" ]; then
  load_env -f "${prefix}/grubenv"
fi
if [ -f "${prefix}/console.cfg" ]; then
  source "${prefix}/console.cfg"
fi

# A password (grub2-setpassword) guards editing; entries with an empty grub_users boot without it.
if [ -f "${prefix}/user.cfg" ]; then
  source "${prefix}/user.cfg"
  if [ -n "${GRUB2_PASSWORD}" ]; then
    set superusers="root"
    export superusers
    password_pbkdf2 root ${GRUB2_PASSWORD}
  fi
fi

# The stamp of a first boot.  It may hold settings, such as ignition_network_kcmdline.
set ignition_firstboot=""
if [ -f "/ignition.firstboot" ]; then
  set ignition_network_kcmdline=""
  if [ -s "/ignition.firstboot" ]; then
    source "/ignition.firstboot"
  fi
  set ignition_firstboot="ignition.firstboot ${ignition_network_kcmdline}"
fi

blscfg

if [ -f "${prefix}/custom.cfg" ]; then
  source "${prefix}/custom.cfg"
fi
"""


class GrubConfig:
    """grub.cfg, which GRUB reads whatever started it."""

    def unrealised(self, options: Bootupd, disk: Disk) -> Iterator[str]:
        """Nothing."""
        yield from ()

    def require(self, recipe: Recipe, tools: Tree) -> None:
        """Nothing: the configuration is our own."""

    def install(self, installation: Installation) -> None:
        """Write it, with `static-configs`."""
        if installation.options.static_configs:
            installation.vm.run(["mkdir", "-p", f"{BOOT}/grub2"], timeout=60)
            installation.vm.put(f"{BOOT}/grub2/grub.cfg", grub_cfg().encode())


def grub_cfg() -> str:
    """/boot/grub2/grub.cfg."""
    return _GRUB_CFG


def esp_stub(label: str = BOOT_LABEL) -> str:
    """EFI/<vendor>/grub.cfg on the ESP: finds the boot partition and goes on there.

    First boot gives the filesystem a UUID of its own and notes it in bootuuid.cfg beside the stub.
    """
    return (
        'if [ -f "${config_directory}/bootuuid.cfg" ]; then\n'
        '  source "${config_directory}/bootuuid.cfg"\n'
        "fi\n"
        'if [ -n "${BOOT_UUID}" ]; then\n'
        '  search --no-floppy --fs-uuid "${BOOT_UUID}" --set=root\n'
        "else\n"
        f"  search --no-floppy --label {label} --set=root\n"
        "fi\n"
        "set prefix=($root)/grub2\n"
        "configfile $prefix/grub.cfg\n"
    )


def early_config(label: str = BOOT_LABEL) -> str:
    """The configuration inside a core image; GRUB's small parser runs it, which has no `if`.

    The disk that GRUB was started from is asked first.  GRUB goes on with $prefix/grub.cfg by itself.
    """
    return f"search --no-floppy --label {label} --set=root --hint $root\nset prefix=($root)/grub2\n"


def core_modules(available: Container[str], drivers: Sequence[str] = _BIOS) -> tuple[str, ...]:
    """The modules of a core image, from the names (without .mod) there are.

    `drivers` are those of the firmware's disks, if they are modules there.

    `blscfg` is a module of that name in Red Hat's GRUB, a command of `blsuki` in GRUB 2.14 and newer;
    a GRUB with neither is refused as `grub-blscfg-missing`.
    """
    bls = next((name for name in ("blscfg", "blsuki") if name in available), None)
    if bls is None:
        raise BootimgError(
            "grub-blscfg-missing",
            "the layer's GRUB does not know Boot Loader Specification entries",
            context=["neither blscfg.mod nor blsuki.mod is among its modules"],
            hint="install Red Hat's grub2, or GRUB 2.14 or newer, in the layer",
            exit_code=ExitCode.USAGE,
        )
    return (*drivers, *_MODULES, *(name for name in _OPTIONAL if name in available), bls)
