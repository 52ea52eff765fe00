"""El Torito boot catalogues: what the firmware starts from a CD (El Torito 1.0; for UEFI, UEFI 13.3.2.1)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.sectors import SECTOR, SYSTEM_AREA, padded

_ENTRY = struct.Struct("<BBHBBHI20s")
_SECTION = struct.Struct("<BBH28s")
_VALIDATION = struct.Struct("<BBH24sH2s")
_BOOTABLE, _NO_EMULATION = 0x88, 0
_HEADER_MORE, _HEADER_LAST = 0x90, 0x91
_KEY = b"\x55\xaa"
_BLOCK = 512
_MOST_BLOCKS = 0xFFFF
_INFO_TABLE = slice(8, 64)


class BootPlatform(IntEnum):
    """The firmware that an entry is for."""

    BIOS = 0
    EFI = 0xEF


@dataclass(frozen=True, slots=True, kw_only=True)
class BootImage:
    """A file of the ISO that a firmware starts.

    `blocks` is how many blocks of 512 bytes the firmware loads, None means the whole file.  `info_table` is
    for isolinux.bin, which finds its own place on the CD in a table that is written into it.
    """

    path: str
    platform: BootPlatform
    blocks: int | None = None
    info_table: bool = False


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """An entry as it is in a catalogue; `sector` is the image's first."""

    platform: int
    bootable: bool
    blocks: int
    sector: int

    @property
    def offset(self) -> int:
        """The image's offset in bytes."""
        return self.sector * SECTOR


def catalogue(images: Sequence[BootImage], places: Mapping[str, tuple[int, int]]) -> bytes:
    """The sector of the catalogue; `places` has first sector and size in bytes by path."""
    first, *others = images
    data = _validation(first.platform) + _entry(first, *places[first.path])
    for each in others:
        last = each is others[-1]
        data += _SECTION.pack(_HEADER_LAST if last else _HEADER_MORE, each.platform, 1, b"")
        data += _entry(each, *places[each.path])
    return padded(data)


def with_info_table(image: bytes, sector: int) -> bytes:
    """isolinux.bin with its table filled for the given first sector."""
    if len(image) < _INFO_TABLE.stop:
        raise BootimgError(
            "isolinux-invalid",
            f"isolinux.bin has only {len(image)} bytes",
            hint="install the package syslinux (Fedora, RHEL) or isolinux (Debian) again",
            exit_code=ExitCode.USAGE,
        )
    rest = image[_INFO_TABLE.stop :]
    words = struct.unpack(f"<{-(-len(rest) // 4)}I", rest.ljust(-(-len(rest) // 4) * 4, b"\0"))
    table = struct.pack("<IIII40s", SYSTEM_AREA // SECTOR, sector, len(image), sum(words) & 0xFFFFFFFF, b"")
    return image[: _INFO_TABLE.start] + table + rest


def parse_catalogue(data: bytes) -> tuple[CatalogueEntry, ...] | None:
    """The entries of a catalogue's sector; None if it is not one."""
    kind, platform, _, _, _, key = _VALIDATION.unpack_from(data)
    if kind != 1 or key != _KEY or sum(struct.unpack_from("<16H", data)) & 0xFFFF:
        return None
    entries = [_parsed(data, 32, platform)]
    at = 64
    while at + 64 <= len(data) and data[at] in (_HEADER_MORE, _HEADER_LAST):
        header, platform, count, _ = _SECTION.unpack_from(data, at)
        for _ in range(count):
            at += 32
            if at + 32 > len(data):
                return None
            entries.append(_parsed(data, at, platform))
        at += 32
        if header == _HEADER_LAST:
            break
    return tuple(entries)


def _validation(platform: int) -> bytes:
    def packed(checksum: int) -> bytes:
        return _VALIDATION.pack(1, platform, 0, b"", checksum, _KEY)

    return packed(-sum(struct.unpack("<16H", packed(0))) & 0xFFFF)


def _entry(image: BootImage, sector: int, size: int) -> bytes:
    blocks = -(-size // SECTOR) * (SECTOR // _BLOCK) if image.blocks is None else image.blocks
    if blocks > _MOST_BLOCKS:
        # UEFI takes 0 for an image that reaches to the end of the CD.  The firmware of s390x passes over one
        # of 0 blocks, and finds the size in the image's folder.  xorriso writes the largest number too.
        blocks = 0 if image.platform is BootPlatform.EFI else _MOST_BLOCKS
    return _ENTRY.pack(_BOOTABLE, _NO_EMULATION, 0, 0, 0, blocks, sector, b"")


def _parsed(data: bytes, at: int, platform: int) -> CatalogueEntry:
    indicator, _, _, _, _, blocks, sector, _ = _ENTRY.unpack_from(data, at)
    return CatalogueEntry(platform, indicator == _BOOTABLE, blocks, sector)
