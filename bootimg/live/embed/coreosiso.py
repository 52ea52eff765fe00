"""A CoreOS ISO: what is in its areas, and the changes that put something else there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bootimg.disk.extents import Source, is_zero
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.embed import areas
from bootimg.live.embed.initrd import decode, encode
from bootimg.live.embed.places import KargsPlaces, area_text, invalid_area, require_apart
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.infofiles import NETWORK_FEATURE
from bootimg.untrusted.budget import Budget


@dataclass(frozen=True, slots=True)
class Change:
    """New bytes from an offset of the ISO on."""

    offset: int
    data: bytes


class CoreosIso:
    """The areas of a CoreOS ISO; what is in them is read only when it is needed.

    Opening it raises `iso-not-coreos`, `iso-area-invalid` and the errors of `IsoImage`.
    """

    def __init__(self, source: Source, budget: Budget | None = None) -> None:
        self.image = IsoImage(source, budget)
        self.initrd_area = areas.initrd_area(self.image)
        self.kargs_places = areas.kargs_places(self.image)
        places = self.kargs_places.places if self.kargs_places else ()
        require_apart([self.initrd_area, *(place.area for place in places)])

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The files in the ignition area: their content, by path."""
        data = self.image.read(self.initrd_area.offset, self.initrd_area.length)
        return {} if is_zero(data) else decode(data, self.image.budget)

    @property
    def has_network(self) -> bool:
        """Whether the live system takes the network's configuration from the ignition area."""
        return areas.has_feature(self.image, NETWORK_FEATURE)

    @cached_property
    def kargs(self) -> str:
        """The kernel arguments, which every area must have alike."""
        texts = {area_text(self.image, place) for place in self._places.places}
        if len(texts) > 1:
            raise invalid_area("the areas have different kernel arguments")
        return texts.pop()

    @property
    def default_kargs(self) -> str:
        """The kernel arguments that the ISO was made with."""
        return self._places.default

    def with_files(self, files: Mapping[str, bytes]) -> list[Change]:
        """The change that leaves these files, and no others, in the ignition area: `iso-area-too-small`."""
        data, room = encode(files), self.initrd_area.length
        if len(data) > room:
            raise _too_small(
                "Ignition config and network", len(data), room, "give less, or fetch it by a URL"
            )
        return [Change(self.initrd_area.offset, data.ljust(room, b"\0"))]

    def with_kargs(self, text: str) -> list[Change]:
        """The changes that put the text into all areas for kernel arguments: `iso-area-too-small`."""
        line, places = text.strip().encode(), self._places
        if len(line) >= places.length:
            raise _too_small("kernel arguments", len(line) + 1, places.length, "give fewer of them")
        return [
            Change(each.area.offset, (line + each.end.encode()).ljust(each.area.length, each.pad.encode()))
            for each in places.places
        ]

    def reset(self) -> list[Change]:
        """The changes that make it the ISO it was, whatever is in its areas."""
        changes = self.with_files({})
        return changes if self.kargs_places is None else changes + self.with_kargs(self.default_kargs)

    @property
    def _places(self) -> KargsPlaces:
        if self.kargs_places is None:
            raise BootimgError(
                "iso-area-missing",
                "the ISO has no areas for kernel arguments",
                hint="take a live ISO of a newer release",
                exit_code=ExitCode.USAGE,
            )
        return self.kargs_places


def _too_small(what: str, size: int, room: int, hint: str) -> BootimgError:
    return BootimgError(
        "iso-area-too-small",
        f"the {what} have {size} bytes, and the ISO's area has room for {room}",
        note="the Ignition area is compressed",
        hint=hint,
        exit_code=ExitCode.USAGE,
    )
