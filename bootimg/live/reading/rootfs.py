"""What a rootfs image has: the root file system, the build's id, the osmet files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bootimg.errors import BootimgError
from bootimg.live.cpioread import Found, malformed, read_archive, read_member
from bootimg.live.fsheader import FsHeader, read_header
from bootimg.live.osmet.fileformat import Osmet, read_osmet
from bootimg.live.reading.initramfs import stamp
from bootimg.live.reading.region import Region
from bootimg.live.rootfsimage import DATA_OFFSET, VERSION, member_name
from bootimg.untrusted.budget import Budget

_SUFFIX = ".osmet"
_MOST_MEMBERS = 64
_MOST_OSMETS = 8


@dataclass(frozen=True, slots=True)
class OsmetFacts:
    """What an osmet file says, without its mappings: there may be very many.

    `sha256` is that of the image, in hex; `document` is what `inspect` shows.
    """

    sector_size: int
    sha256: str
    document: Mapping[str, Any]

    @classmethod
    def of(cls, osmet: Osmet) -> OsmetFacts:
        """The facts of a file that was read."""
        return cls(osmet.sector_size, osmet.checksum.hex(), osmet.as_dict())


@dataclass(frozen=True, slots=True)
class OsmetFile:
    """An osmet file of the image: its name, its size in bytes, what it says or the error of reading it."""

    name: str
    size: int
    facts: OsmetFacts | None
    problem: BootimgError | None

    def as_dict(self) -> dict[str, Any]:
        """The file as `inspect` shows it."""
        return {
            "name": self.name,
            "file-size": self.size,
            **({} if self.facts is None else self.facts.document),
            "problem": None if self.problem is None else self.problem.as_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRootfs:
    """The file system in the first member, the build's id (None if it is missing), the osmet files."""

    filesystem: FsHeader
    version: str | None
    osmets: tuple[OsmetFile, ...]


def read_rootfs(region: Region, budget: Budget) -> LiveRootfs:
    """Read the headers of a rootfs image.

    Raises `live-archive-malformed`, `live-rootfs-unreadable`, `image-over-budget`.
    """
    with region.open() as file:
        members: list[Found] = []
        for each in read_archive(file, 0, region.length, budget):
            members.append(each)
            if len(members) > _MOST_MEMBERS:
                raise malformed(each.offset, f"a rootfs image has more than {_MOST_MEMBERS} members")
        if not members or members[0].offset != DATA_OFFSET:
            raise malformed(0, f"the root file system does not begin at byte {DATA_OFFSET}")
        filesystem = _filesystem(region, members[0])
        version = next((read_member(file, each, budget) for each in members if each.name == VERSION), None)
    osmets = [each for each in members if each.is_file and each.name.endswith(_SUFFIX)]
    if len(osmets) > _MOST_OSMETS:
        raise malformed(osmets[_MOST_OSMETS].offset, f"it has more than {_MOST_OSMETS} osmet files")
    return LiveRootfs(
        filesystem=filesystem,
        version=None if version is None else stamp(version),
        osmets=tuple(_osmet(region, each, budget) for each in osmets),
    )


def _filesystem(region: Region, first: Found) -> FsHeader:
    with region.part(first.offset, first.size).open() as file:
        found = read_header(file, 0)
    if first.name != member_name(found.fstype):
        raise malformed(0, f"the member {first.name!r:.80} has a file system of the type {found.fstype}")
    return found


def _osmet(region: Region, found: Found, budget: Budget) -> OsmetFile:
    name = found.name.rpartition("/")[2]
    with region.part(found.offset, found.size).open() as file:
        try:
            return OsmetFile(name, found.size, OsmetFacts.of(read_osmet(file, budget)), None)
        except BootimgError as error:
            if error.id == "image-over-budget":
                raise
            return OsmetFile(name, found.size, None, error)
