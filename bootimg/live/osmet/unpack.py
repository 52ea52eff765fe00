"""Unpacks the metal image of an osmet file with the objects of a repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bootimg.disk.extents import is_zero
from bootimg.errors import BootimgError
from bootimg.formats.output import Digest
from bootimg.live.malformed import MalformedError
from bootimg.live.osmet.errors import damaged
from bootimg.live.osmet.fileformat import Mapping, Osmet, read_osmet
from bootimg.live.osmet.resolve import Objects
from bootimg.live.xzread import XzReader
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import open_regular


def describe_osmet(path: Path, budget: Budget) -> Osmet:
    """What an osmet file says about its image; the errors are those of `read_osmet`."""
    with open_regular(path) as file:
        return read_osmet(file, budget)


def unpack_osmet(path: Path, objects: Objects, budget: Budget) -> Iterator[bytes]:
    """The bytes of the metal image, at most a MiB at a time.

    Errors: those of `read_osmet`, `osmet-object-missing`; after the last piece, `osmet-image-differs` if the
    image is not the one that was packed.
    """
    with open_regular(path) as file, Digest() as digest:
        osmet, where = read_osmet(file, budget), str(path)
        budget.pack(path.stat().st_size + osmet.mapped, where)
        try:
            for data in _image(osmet, XzReader(file), objects):
                charge = budget.hole if is_zero(data) else budget.unpack
                charge(len(data), where)
                digest.update(data)
                yield data
        except MalformedError as error:
            raise damaged(str(error)) from None
        if (found := digest.hexdigest()) != osmet.checksum.hex():
            raise BootimgError(
                "osmet-image-differs",
                "the image that the osmet file and the repository make is not the one that was packed",
                context=[f"SHA-256 {found}, expected {osmet.checksum.hex()}"],
                hint="an object of the repository or the osmet file was changed: build the live media again",
            )


def _image(osmet: Osmet, packed: XzReader, objects: Objects) -> Iterator[bytes]:
    position = 0
    for each in osmet.absolute():
        yield from packed.pieces(each.physical - position)
        yield from _object(each, objects)
        position = each.end
    yield from packed.pieces(osmet.size - position)
    packed.finish()


def _object(mapping: Mapping, objects: Objects) -> Iterator[bytes]:
    """The object's bytes, and zeros after its end."""
    for done in range(0, mapping.length, MIB):
        length = min(MIB, mapping.length - done)
        yield objects.read(mapping.checksum.hex(), mapping.logical + done, length).ljust(length, b"\0")
