"""What Open Firmware starts a live ISO of ppc64le with: a boot script that names GRUB's core image.

The firmware reads the script from the ISO's file system, by its name of 8 characters and 3, and needs neither
a boot catalogue nor a partition table (CHRP System Binding to IEEE 1275, 11.1).  The files are those that
grub-mkrescue adds, which coreos-assembler uses, without those for the Power Macintosh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootimg.disk.bootloaders.grubmodules import is_boot_file
from bootimg.disk.bootloaders.openfirmware import MODULES, open_firmware_core
from bootimg.layer.tree.merged import Tree
from bootimg.live.iso.bootrow import BOOT_SCRIPT
from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.tree import IsoFile
from bootimg.sizes import KIB

FOLDER = "boot/grub"
"""Where GRUB finds its configuration and modules."""
CORE_IMAGE = f"{FOLDER}/powerpc.elf"
_MODULES = f"{FOLDER}/powerpc-ieee1275"
# GRUB loads the other modules from the ISO when a command needs them.
_CORE_MODULES = ("iso9660", "search", "search_label", "normal", "linux")
_LARGEST_SCRIPT = 64 * KIB
_SCRIPT = re.compile(
    rb"<boot-script>\s*boot\s+&device;:(?:[0-9]*,)?\\([^\s<]{1,200})(?:\s[^<]*)?</boot-script>"
)


def open_firmware_files(tree: Tree, volume: Volume) -> Iterator[IsoFile]:
    """The boot script, the core image, and the layer's modules of GRUB.

    Raises `bootloader-missing` if the layer lacks them, and `grub-image-invalid`.
    """
    yield IsoFile.of(BOOT_SCRIPT, boot_script(volume))
    yield IsoFile.of(CORE_IMAGE, live_core(tree, volume.id))
    for name in sorted(filter(is_boot_file, tree.listdir(MODULES))):
        yield IsoFile.of(f"{_MODULES}/{name}", tree.read(f"{MODULES}/{name}"))


def live_core(tree: Tree, volume_id: str) -> bytes:
    """The core image of the layer's GRUB that starts the ISO with the volume id."""
    return open_firmware_core(
        tree, lambda _: _CORE_MODULES, config=core_config(volume_id), prefix=f"()/{FOLDER}"
    )


def core_config(volume_id: str) -> str:
    """The configuration inside the core image; GRUB goes on with grub.cfg of its folder by itself.

    The device that GRUB was started from is asked first whether it has the volume id.  Unlike Red Hat's GRUB,
    that of GNU does not know this device: it takes the path in the script for the number of a partition.  An
    empty hint is none.
    """
    return f"search --no-floppy --label {volume_id} --set=root --hint=$root\nset prefix=($root)/{FOLDER}\n"


def boot_script(volume: Volume) -> bytes:
    """The file ppc/bootinfo.txt; the firmware's boot menu shows the description."""
    path = CORE_IMAGE.replace("/", "\\")
    return (
        "<chrp-boot>\n"
        f"<description>{volume.set_id}</description>\n"
        f"<os-name>{volume.set_id}</os-name>\n"
        f"<boot-script>boot &device;:\\{path}</boot-script>\n"
        "</chrp-boot>\n"
    ).encode()


def started_by(image: IsoImage) -> str | None:
    """The path of the program that an ISO's boot script starts; None without such a script.

    It has no leading slash; a partition's number and arguments are left out.
    """
    record = image.find(BOOT_SCRIPT)
    if record is None or record.folder:
        return None
    found = _SCRIPT.search(image.read(record.offset, min(record.length, _LARGEST_SCRIPT)))
    return None if found is None else found[1].decode("latin-1").replace("\\", "/")
