"""The two trees of folders of an ISO and their path tables: their places, and their sectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bootimg.live.iso import descriptors, rockridge
from bootimg.live.iso.descriptors import TreePlace, Volume
from bootimg.live.iso.records import Extent, Places, joliet_folder, path_table, primary_folder
from bootimg.live.iso.sectors import SECTOR, SYSTEM_AREA, padded, record_time, sector_count
from bootimg.live.iso.tree import Folder, breadth_first

_DESCRIPTORS = SYSTEM_AREA // SECTOR
_TABLES = _DESCRIPTORS + 4


class Trees:
    """The primary tree and the Joliet tree below `root`; `end` is the first sector after them."""

    def __init__(self, root: Folder, volume: Volume) -> None:
        self._volume = volume
        self._when = record_time(volume.epoch)
        self._short = list(breadth_first(root, short=True))
        self._long = list(breadth_first(root, short=False))
        self._primary = self._sizes(self._short, joliet=False)
        self._joliet = self._sizes(self._long, joliet=True)
        tables = [self._table_length(self._short, joliet=False), self._table_length(self._long, joliet=True)]
        self._first_folder = _TABLES + 2 * sum(map(sector_count, tables))
        self._continuation = self._first_folder + sum(self._primary.values())
        first_joliet = self._continuation + 1
        self.end = first_joliet + sum(self._joliet.values())
        self._primary_at = dict(_extents(self._primary, self._first_folder))
        self._joliet_at = dict(_extents(self._joliet, first_joliet))
        self._tables = tables

    def descriptors(self, sectors: int, catalogue: int | None) -> bytes:
        """The descriptors of a volume of that many sectors, with the boot catalogue in that sector."""
        short, long = (sector_count(length) for length in self._tables)
        primary = self._place(self._short[0], self._primary_at, self._tables[0], _TABLES, short)
        joliet = self._place(self._long[0], self._joliet_at, self._tables[1], _TABLES + 2 * short, long)
        found = [descriptors.primary(self._volume, primary, sectors)]
        if catalogue is not None:
            found.append(descriptors.boot_record(catalogue))
        found += [descriptors.joliet(self._volume, joliet, sectors), descriptors.terminator()]
        return b"".join(found).ljust((_TABLES - _DESCRIPTORS) * SECTOR, b"\0")

    def folders(self, files: Mapping[str, Extent]) -> bytes:
        """The path tables and the folders, from the end of the descriptors on."""
        primary, joliet = self._places(self._primary_at, files), self._places(self._joliet_at, files)
        parts = [path_table(self._short, primary, little=little, joliet=False) for little in (True, False)]
        parts += [path_table(self._long, joliet, little=little, joliet=True) for little in (True, False)]
        parts += [primary_folder(folder, primary) for folder in self._short]
        parts.append(rockridge.extension_record())
        parts += [joliet_folder(folder, joliet) for folder in self._long]
        return b"".join(map(padded, parts))

    @staticmethod
    def _place(root: Folder, at: Mapping[Folder, Extent], length: int, table: int, sectors: int) -> TreePlace:
        return TreePlace(root=at[root], table_length=length, little_table=table, big_table=table + sectors)

    def _places(self, folders: Mapping[Folder, Extent], files: Mapping[str, Extent]) -> Places:
        return Places(folders=folders, files=files, continuation=self._continuation, when=self._when)

    def _sizes(self, folders: Sequence[Folder], *, joliet: bool) -> dict[Folder, int]:
        """The sectors of each folder.  They depend on no place, so any will do to find out."""
        places = self._nowhere(folders)
        make = joliet_folder if joliet else primary_folder
        return {folder: sector_count(len(make(folder, places))) for folder in folders}

    def _table_length(self, folders: Sequence[Folder], *, joliet: bool) -> int:
        return len(path_table(folders, self._nowhere(folders), little=True, joliet=joliet))

    def _nowhere(self, folders: Sequence[Folder]) -> Places:
        nothing = Extent(0, 0)
        files = {file.path: nothing for folder in folders for _, file in folder.files.values()}
        return Places(folders=dict.fromkeys(folders, nothing), files=files, continuation=0, when=self._when)


def _extents(sizes: Mapping[Folder, int], first: int) -> Iterator[tuple[Folder, Extent]]:
    for folder, sectors in sizes.items():
        yield folder, Extent(first, sectors * SECTOR)
        first += sectors
