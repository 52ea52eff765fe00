"""The BLS entry that zipl boots: the files and the arguments in it."""

from __future__ import annotations

from dataclasses import dataclass

from bootimg.disk.bootpatch import ENTRIES
from bootimg.disk.ext4edit import Ext4Image
from bootimg.errors import BootimgError
from bootimg.sizes import MIB

_BOOT = "/boot/"
FILE_LIMIT = 384 * MIB
"""Bytes of the largest kernel or initramfs that is read: a boot partition has no room for a larger one."""


@dataclass(frozen=True, slots=True)
class BootEntry:
    """Paths of kernel and initramfs from the root of the boot partition, and the kernel's arguments."""

    kernel: str
    initramfs: str
    options: str


def find_entry(image: Ext4Image, number: str) -> BootEntry:
    """The entry whose name ends with this number, as ostree counts its deployments; `boot-entry-missing`."""
    for name, inode in sorted(image.listing(ENTRIES).items()):
        if inode.is_file and name.endswith(f"-{number}.conf"):
            content = image.content(f"{ENTRIES}/{name}") or b""
            return _parsed(content.decode(errors="surrogateescape"), name)
    raise _missing(f"{ENTRIES}/*-{number}.conf does not exist")


def _parsed(text: str, name: str) -> BootEntry:
    lines = [line.split(None, 1) for line in text.splitlines()]
    values = {words[0]: words[1].strip() for words in lines if len(words) == 2}
    try:
        return BootEntry(_path(values["linux"]), _path(values["initrd"]), values["options"])
    except KeyError as error:
        raise _missing(f"{ENTRIES}/{name} has no {error.args[0]}") from error


def _path(value: str) -> str:
    """Entries of disks with ostree's bootprefix have /boot before the path."""
    return f"/{value.removeprefix(_BOOT).lstrip('/')}"


def _missing(what: str) -> BootimgError:
    return BootimgError(
        "boot-entry-missing",
        "the boot partition has no boot loader entry for zipl",
        context=[f"/boot{what}"],
        hint="`bootimg inspect` shows what is there; build the base disk again with --force",
    )
