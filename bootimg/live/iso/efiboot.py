"""The EFI boot image of a live ISO: a FAT file system with the layer's shim and GRUB, made without a mount.

It has neither shim's fallback nor its CSV files, which would add entries to the firmware's boot menu, and no
second copies of shim.  All the rest is in EFI/BOOT, where firmware looks on removable media.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from zlib import crc32

from bootimg.disk.native.esp import make_esp
from bootimg.errors import BootimgError, ExitCode
from bootimg.manifest.recipe import Fat
from bootimg.sizes import MIB, align_up
from bootimg.sysroot.entries import Entry, Kind, directory, text

_BOOT = "EFI/BOOT"
_LABEL = "EFI-SYSTEM"
_BLOCK, _TAR_RECORD = 512, 10240
_SPARE = 2 * MIB
_UNWANTED_BOOT = ("FB*.EFI",)
_UNWANTED_VENDOR = ("BOOT*.CSV", "SHIM*.EFI")


def make_efi_image(entries: Sequence[Entry], volume_id: str, set_id: str, epoch: int, scratch: Path) -> bytes:
    """The image's bytes, made in the folder `scratch`.

    `entries` are the layer's EFI programs from EFI on, `epoch` is in seconds.  Raises `efi-files-missing` and
    the errors of `make_esp`.
    """
    tree = efi_tree(entries, volume_id, epoch)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="efiboot.") as folder:
        image = Path(folder) / "efiboot.img"
        with image.open("wb") as file:
            file.truncate(_size(tree))
        options = Fat(1, f"{crc32(set_id.encode()):08X}", _LABEL)
        make_esp(image, options, tree, start=0, sector_size=_BLOCK, epoch=epoch)
        return image.read_bytes()


def efi_vendor(entries: Sequence[Entry]) -> str:
    """The one folder beside EFI/BOOT; `efi-files-missing` if there is none, or more than one."""
    return one_vendor(_names(entry)[1] for entry in entries if b"/" in entry.path)


def one_vendor(names: Iterable[str]) -> str:
    """The one name in EFI beside BOOT; else `efi-files-missing`."""
    found = {name for name in names if name.upper() != "BOOT"}
    if len(found) != 1:
        raise _missing(f"one vendor's folder is needed beside EFI/BOOT, and there are: {sorted(found)}")
    return found.pop()


def efi_tree(entries: Sequence[Entry], volume_id: str, epoch: int) -> list[Entry]:
    """The image's files: the wanted ones of the entries, and the stub that finds the ISO."""
    vendor, now = efi_vendor(entries), epoch * 10**9
    files: dict[str, Entry] = {}
    # A vendor's own file comes later, and so wins over one of the same name in EFI/BOOT.
    for entry in sorted(filter(_is_wanted, entries), key=_is_vendors):
        inside = "/".join(_names(entry)[2:])
        files[inside.upper()] = replace(entry, path=f"{_BOOT}/{inside}".encode(), mtime=now)
    if not any(fnmatchcase(name, "BOOT*.EFI") for name in files):
        raise _missing("EFI/BOOT has no BOOT*.EFI")
    files["GRUB.CFG"] = text(f"{_BOOT}/grub.cfg", _stub(volume_id, vendor), now)
    folders = {parent for each in files.values() for parent in Path(each.path.decode()).parents}
    made = [directory(str(each), 0o755, now) for each in sorted(folders) if each != Path()]
    return [*made, *(files[name] for name in sorted(files))]


def _is_vendors(entry: Entry) -> bool:
    return _names(entry)[1].upper() != "BOOT"


def _is_wanted(entry: Entry) -> bool:
    names = _names(entry)
    if entry.kind is not Kind.FILE or len(names) < 3:
        return False
    unwanted = _UNWANTED_VENDOR if _is_vendors(entry) else _UNWANTED_BOOT
    return not any(fnmatchcase(names[-1].upper(), each) for each in unwanted)


def _stub(volume_id: str, vendor: str) -> bytes:
    """What GRUB reads if the firmware started it from the partition of an ISO that is a disk."""
    return (
        f'search --label "{volume_id}" --set root --no-floppy\n'
        f"set prefix=($root)/EFI/{vendor}\n"
        "configfile $prefix/grub.cfg\n"
        "boot\n"
    ).encode()


def _size(tree: Sequence[Entry]) -> int:
    """The size that coreos-assembler gives the image: that of a tar archive of the files, and 2 MiB."""
    content = sum(_BLOCK + align_up(entry.size, _BLOCK) for entry in tree)
    return align_up(content + 2 * _BLOCK, _TAR_RECORD) + _SPARE


def _names(entry: Entry) -> list[str]:
    return entry.path.decode(errors="surrogateescape").split("/")


def _missing(why: str) -> BootimgError:
    return BootimgError(
        "efi-files-missing",
        f"the layer's EFI programs make no boot image for the live ISO: {why}",
        hint="install shim and GRUB in the layer the way bootupd expects them",
        exit_code=ExitCode.USAGE,
    )
