"""The part of an osmet file before the packed image, version 1 of the format.

Source: coreos-installer, docs/osmet.md and the structures of src/osmet.  There has been no other version.
Before coreos-installer 0.3.0 version 1 had integers of fixed size, which this module refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from bootimg.disk.gpt import SECTOR_SIZES
from bootimg.errors import BootimgError
from bootimg.live.bincode import U32, U64, Decoder, number, text
from bootimg.live.malformed import MalformedError
from bootimg.live.osmet.errors import damaged
from bootimg.untrusted.budget import Budget

MAGIC = b"OSMET\0\0\0"
VERSION = 1
DIGEST = 32
_TEXT = 4096
_PARTITIONS = 128
_MAPPING = 320
"""What a mapping takes in memory, in bytes; RHCOS has about 30 000."""


class Mapping(NamedTuple):
    """`length` bytes of the object `checksum`, from its byte `logical` on, zeros after its end.

    They lie at the byte `physical` of the partition.
    """

    physical: int
    length: int
    logical: int
    checksum: bytes

    @property
    def end(self) -> int:
        """The first byte of the partition after it."""
        return self.physical + self.length


@dataclass(frozen=True, slots=True)
class MappedPartition:
    """A partition from the byte `start` of the disk to the byte `end`; mappings ascend and do not overlap."""

    start: int
    end: int
    mappings: Sequence[Mapping]

    def absolute(self) -> Iterator[Mapping]:
        """The mappings with `physical` counted from the start of the disk."""
        for each in self.mappings:
            yield each._replace(physical=self.start + each.physical)


@dataclass(frozen=True, slots=True, kw_only=True)
class Osmet:
    """What an osmet file describes: an image of `size` bytes with the SHA-256 `checksum`.

    `app_version` names the writer, for information.  coreos-installer installs the file whose `architecture`
    and `sector_size` are those of the machine and of the target disk, and shows `description`.
    """

    app_version: str
    sector_size: int
    description: str
    architecture: str
    partitions: Sequence[MappedPartition]
    checksum: bytes
    size: int

    @property
    def mapped(self) -> int:
        """The bytes of the image that objects hold."""
        return sum(each.length for partition in self.partitions for each in partition.mappings)

    def absolute(self) -> Iterator[Mapping]:
        """All mappings in order, `physical` counted from the start of the image."""
        for partition in self.partitions:
            yield from partition.absolute()

    def as_dict(self) -> dict[str, object]:
        """What `inspect` shows."""
        return {
            "version": VERSION,
            "app-version": self.app_version,
            "sector-size": self.sector_size,
            "description": self.description,
            "architecture": self.architecture,
            "size": self.size,
            "sha256": self.checksum.hex(),
            "objects": len({each.checksum for each in self.absolute()}),
            "mappings": sum(len(partition.mappings) for partition in self.partitions),
            "mapped": self.mapped,
        }


def encoded(osmet: Osmet) -> bytes:
    """The bytes before the packed image."""
    parts = [MAGIC, number(VERSION), text(osmet.app_version), number(osmet.sector_size)]
    parts += [text(osmet.description), text(osmet.architecture), number(len(osmet.partitions))]
    for partition in osmet.partitions:
        parts += map(number, (partition.start, partition.end, len(partition.mappings)))
        for physical, length, logical, checksum in partition.mappings:
            parts += (number(logical), number(physical), number(length), checksum)
    return b"".join([*parts, osmet.checksum, number(osmet.size)])


def read_osmet(file: BinaryIO, budget: Budget) -> Osmet:
    """Read the part before the packed image, which begins at the file's position afterwards.

    Raises `osmet-damaged`, `image-over-budget`, and `osmet-version-unsupported` for another version of the
    format.
    """
    try:
        with budget.working():
            osmet = _decode(Decoder(file), budget)
        _check(osmet)
    except MalformedError as error:
        raise damaged(str(error)) from None
    return osmet


def _decode(decoder: Decoder, budget: Budget) -> Osmet:
    if decoder.array(len(MAGIC)) != MAGIC:
        raise MalformedError("it does not begin as an osmet file")
    version = decoder.number(U32)
    if version != VERSION:
        raise BootimgError(
            "osmet-version-unsupported",
            f"the osmet file has version {version} of the format, and bootimg knows only {VERSION}",
            hint="use the coreos-installer of the layer that the file was made for",
        )
    return Osmet(
        app_version=decoder.text(_TEXT),
        sector_size=decoder.number(U32),
        description=decoder.text(_TEXT),
        architecture=decoder.text(_TEXT),
        partitions=_partitions(decoder, budget),
        checksum=decoder.array(DIGEST),
        size=decoder.number(U64),
    )


def _partitions(decoder: Decoder, budget: Budget) -> list[MappedPartition]:
    found: list[MappedPartition] = []
    for _ in range(decoder.number(_PARTITIONS)):
        start, end, count = (decoder.number(U64) for _ in range(3))
        found.append(MappedPartition(start, end, [_mapping(decoder, budget) for _ in range(count)]))
    return found


def _mapping(decoder: Decoder, budget: Budget) -> Mapping:
    budget.hold(_MAPPING, "the mappings of an osmet file")
    logical, physical, length = (decoder.number(U64) for _ in range(3))
    return Mapping(physical, length, logical, decoder.array(DIGEST))


def _check(osmet: Osmet) -> None:
    if osmet.sector_size not in SECTOR_SIZES or not osmet.partitions:
        count = len(osmet.partitions)
        raise MalformedError(f"it has {count} partitions and sectors of {osmet.sector_size} bytes")
    position = 0
    for partition in osmet.partitions:
        if not position <= partition.start <= partition.end <= osmet.size:
            raise MalformedError(f"a partition begins at {partition.start} and ends at {partition.end}")
        position = partition.start
        for each in partition.mappings:
            if not position <= partition.start + each.physical <= partition.start + each.end <= partition.end:
                raise MalformedError(f"an object lies at {each.physical} in the partition at {position}")
            position = partition.start + each.end
        position = partition.end
