"""The places of areas in a CoreOS ISO, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.infofiles import KARGS_END, KARGS_PAD


@dataclass(frozen=True, slots=True)
class Area:
    """Bytes of the ISO: offset and length."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class KargsArea:
    """One place of the kernel arguments: their text, `end`, and `pad` up to the area's length."""

    area: Area
    end: str = KARGS_END
    pad: str = KARGS_PAD


@dataclass(frozen=True, slots=True)
class KargsPlaces:
    """The default kernel arguments, and the places of the present ones, all of the same length."""

    default: str
    places: tuple[KargsArea, ...]

    @property
    def length(self) -> int:
        """The bytes of each area."""
        return self.places[0].area.length


def require_apart(found: Iterable[Area]) -> None:
    """Refuse areas that overlap: a change of one would change another."""
    end = 0
    for area in sorted(found, key=lambda each: each.offset):
        if area.offset < end:
            raise invalid_area(f"the area at {area.offset} overlaps another")
        end = area.offset + area.length


def area_text(image: IsoImage, place: KargsArea) -> str:
    """The kernel arguments in one place."""
    data = image.read(place.area.offset, place.area.length)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise invalid_area("an area for kernel arguments is not UTF-8") from None
    return text.rstrip(place.pad).rstrip(place.end).strip()


def invalid_area(why: str) -> BootimgError:
    """The error for areas that are not where the ISO says, or have something else in them."""
    return BootimgError(
        "iso-area-invalid",
        f"the ISO's areas for changes cannot be used: {why}",
        hint="get the ISO again; if it is new, please report it",
        exit_code=ExitCode.USAGE,
    )
