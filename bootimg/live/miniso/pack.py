"""Packs a minimal ISO into the area of its full ISO that is kept for it."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from importlib.metadata import version

from bootimg.errors import BootimgError
from bootimg.formats.output import Digest
from bootimg.live.embed.coreosiso import Change
from bootimg.live.iso.image import IsoImage, Record
from bootimg.live.iso.infofiles import MINISO
from bootimg.live.iso.layout import IsoLayout
from bootimg.live.iso.sectors import SECTOR
from bootimg.live.miniso.fileformat import LARGEST, Miniso, Shared
from bootimg.live.miniso.layoutsource import LayoutSource
from bootimg.sizes import MIB

# A dictionary that is larger than the input takes memory and gives nothing.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 4 * MIB}]


def pack_miniso(full: IsoImage, minimal: IsoImage) -> Change:
    """The change that puts what is needed to make the minimal ISO into coreos/miniso.dat of the full one.

    All files of the minimal ISO must be files of the full ISO.  Bytes that differ, such as the boot
    information that an ISO writer puts into isolinux.bin, are packed.  Both ISOs are read once.  Raises
    `miniso-files-differ` and `miniso-too-large`.
    """
    area = full.find(MINISO)
    if area is None or area.folder:
        raise _differ(MINISO, "the full ISO does not have it")
    data = _packed(full, minimal).encoded()
    if len(data) > min(area.length, LARGEST):
        raise BootimgError(
            "miniso-too-large",
            f"the data for a minimal ISO has {len(data)} bytes, and /{MINISO} has room for {area.length}",
            context=["a file of the minimal ISO may have another content in the full ISO"],
            hint="write both ISOs from the same files; please report it",
        )
    return Change(area.offset, data.ljust(area.length, b"\0"))


def with_miniso(full: IsoLayout, minimal: IsoLayout) -> IsoLayout:
    """The full ISO, before it is written, with the data for the minimal one in coreos/miniso.dat.

    The errors are those of `pack_miniso`.
    """
    change = pack_miniso(IsoImage(LayoutSource(full)), IsoImage(LayoutSource(minimal)))
    return full.with_content(MINISO, change.data)


def _packed(full: IsoImage, minimal: IsoImage) -> Miniso:
    with Digest() as digest:
        packer = _Packer(full, minimal, digest)
        position = 0
        for record, other in _pairs(full, minimal):
            packer.pack(position, record.offset)
            packer.compare(record.offset, other.offset, record.length)
            position = record.offset + record.length
        packer.pack(position, minimal.source.size)
        return packer.finished()


def _pairs(full: IsoImage, minimal: IsoImage) -> Iterator[tuple[Record, Record]]:
    """The minimal ISO's files by their place, with the full ISO's; without links and empty files."""
    others = {each.path: each for each in full.walk() if not each.folder}
    files = [each for each in minimal.walk() if not each.folder and each.length]
    end = 0
    for record in sorted(files, key=lambda each: (each.offset, each.length, each.path)):
        other = others.get(record.path)
        if other is None or other.length != record.length:
            raise _differ(record.path, "the full ISO does not have it with this length")
        if record.offset >= end:
            yield record, other
            end = record.offset + record.length


def _differ(path: str, why: str) -> BootimgError:
    return BootimgError(
        "miniso-files-differ",
        f"the ISOs cannot be packed because of /{path}: {why}",
        hint="write both ISOs from the same files",
    )


class _Packer:
    def __init__(self, full: IsoImage, minimal: IsoImage, digest: Digest) -> None:
        self._full, self._minimal = full, minimal
        self._shared: list[Shared] = []
        self._rest = bytearray()
        self._digest = digest

    def pack(self, start: int, end: int) -> None:
        """Pack these bytes of the minimal ISO."""
        for at in range(start, end, MIB):
            self._rest += self._read(at, min(MIB, end - at))

    def compare(self, at: int, other: int, length: int) -> None:
        """Pack those sectors of a file that differ from the full ISO's from the byte `other` on."""
        for done in range(0, length, MIB):
            piece = min(MIB, length - done)
            here, there = self._read(at + done, piece), self._full.read(other + done, piece)
            if here == there:
                self._share(at + done, other + done, piece)
                continue
            for start in range(0, piece, SECTOR):
                sector = here[start : start + SECTOR]
                if sector == there[start : start + SECTOR]:
                    self._share(at + done + start, other + done + start, len(sector))
                else:
                    self._rest += sector

    def finished(self) -> Miniso:
        """What was found."""
        packed = lzma.compress(self._rest, lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=_FILTERS)
        return Miniso(
            f"bootimg {version('bootimg')}", self._shared, bytes.fromhex(self._digest.hexdigest()), packed
        )

    def _read(self, at: int, length: int) -> bytes:
        data = self._minimal.read(at, length)
        self._digest.update(data)
        return data

    def _share(self, at: int, other: int, length: int) -> None:
        last = self._shared[-1] if self._shared else None
        if last and last.end == at and last.full * SECTOR + last.length == other:
            self._shared[-1] = last._replace(length=last.length + length)
        else:
            self._shared.append(Shared(at // SECTOR, other // SECTOR, length))
