"""Files of live media: osmet files, miniso.dat, and the root file system that osmet files are made from."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.disk.extents import Extent, FileSource
from bootimg.disk.xfs import fill_xfs
from bootimg.disk.xfs.layout import INODE
from bootimg.disk.xfs.read.volume import open_xfs
from bootimg.live.miniso.fileformat import Miniso, Shared, decode_miniso
from bootimg.live.miniso.source import MinimalIso
from bootimg.live.osmet.fileformat import MappedPartition, Mapping, Osmet, encoded
from bootimg.live.osmet.objects import stored_objects
from bootimg.live.osmet.unpack import unpack_osmet
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from tests.fuzz.target import refusals, target
from tests.support.live.metaldisk import repository
from tests.support.xfs.xfsimages import NOW, SMALL, empty_image
from tests.support.xfs.xfstrees import sparse

_MOST = 4 * MIB
"""Bytes of an image that are unpacked; a header can claim any size."""


class Objects:
    """A repository whose objects have a KiB of zeros."""

    def read(self, checksum: str, offset: int, length: int) -> bytes:
        return bytes(min(length, 1024))


class Iso:
    """An ISO of zeros."""

    size = 64 * 2048

    def extents(self) -> Iterator[Extent]:
        yield Extent(0, self.size, data=True)

    def read(self, offset: int, length: int) -> bytes:
        assert offset + length <= self.size
        return bytes(length)


def _osmets() -> Iterator[bytes]:
    image = bytes(range(256)) * 32
    mappings = [Mapping(512, 1024, 0, bytes(32)), Mapping(4096, 100, 7, b"\1" * 32)]
    for partitions in ([MappedPartition(1024, 8192, mappings)], [MappedPartition(0, 0, [])] * 3):
        osmet = Osmet(
            app_version="0.27.0",
            sector_size=4096,
            description="Red Hat Enterprise Linux CoreOS",
            architecture="x86_64",
            partitions=partitions,
            checksum=bytes(32),
            size=8192,
        )
        rest = image[osmet.mapped :]
        yield encoded(osmet) + lzma.compress(rest, lzma.FORMAT_XZ, lzma.CHECK_CRC64, 0)


@target(_osmets, words=("OSMET", "\xfb", "\xfc", "\xfd"))
def osmet(data: bytes, folder: Path) -> None:
    """An osmet file, and the image that it describes."""
    path, done = folder / "osmet", 0
    path.write_bytes(data)
    with refusals():
        for piece in unpack_osmet(path, Objects(), Budget()):
            done += len(piece)
            if done > _MOST:
                return


def _minisos() -> Iterator[bytes]:
    shared = [Shared(4, 9, 5000), Shared(7, 2, 2048)]
    packed = lzma.compress(bytes(30_000), lzma.FORMAT_XZ, lzma.CHECK_CRC64, 0)
    yield Miniso("0.27.0", shared, bytes(32), packed).encoded() + bytes(50)


@target(_minisos, words=("MINISO", "\xfb", "\xfc"))
def miniso(data: bytes, folder: Path) -> None:
    """miniso.dat, and the minimal ISO that it gives."""
    with refusals():
        found = MinimalIso(Iso(), decode_miniso(data), Budget())
        assert found.read(0, min(found.size, _MOST))
        if found.size < _MOST:
            found.verify()


_INODES = 16 * INODE
_FOLDER = TemporaryDirectory(prefix="fuzz-xfs-")


@cache
def _root() -> Path:
    """A root file system with a repository, as a file."""
    path = empty_image(Path(_FOLDER.name) / "xfs")
    fill_xfs(path, [*repository([b"x" * 5000]), sparse(b"many", 60)], now=NOW)
    return path


@cache
def _inodes() -> int:
    """Where the chunk with the first inodes is."""
    with FileSource(_root()) as source:
        volume = open_xfs(source, 0, SMALL)
        return volume.inode_address(volume.root)


def _seeds() -> Iterator[bytes]:
    with FileSource(_root()) as source:
        yield source.read(0, 512) + source.read(_inodes(), _INODES)


@target(_seeds, words=("XFSB", "XDB3", "BMA3", "IN"), runs=400, longest=512 + _INODES)
def xfs_repository(data: bytes, folder: Path) -> None:
    """A root file system: its superblock and first inodes."""
    blocks = ((0, data[:512].ljust(512, b"\0")), (_inodes(), data[512:].ljust(_INODES, b"\0")))
    with FileSource(_root()) as source, refusals():
        for _ in stored_objects(open_xfs(Composite(source, Patch(blocks)), 0, SMALL)):
            pass
