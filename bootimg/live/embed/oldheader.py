"""The header of CoreOS ISOs before 2021-12, which says where the kernel arguments are.

It is near the end of the system area: a magic number, the areas' length, the offset of the default arguments,
and up to six offsets of areas (coreos-installer, src/live/embed.rs).
"""

from __future__ import annotations

import struct

from bootimg.live.embed.places import Area, KargsArea, KargsPlaces, area_text, invalid_area
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.infofiles import LARGEST_KARGS
from bootimg.live.iso.sectors import SYSTEM_AREA

_HEADER = struct.Struct("<8sQQ6Q")
_MAGIC = b"coreKarg"
# 24 bytes of another header follow.
_AT = SYSTEM_AREA - 24 - _HEADER.size


def old_kargs_places(image: IsoImage) -> KargsPlaces | None:
    """The places of the kernel arguments; None if the ISO has no such header."""
    magic, length, default_at, *offsets = _HEADER.unpack(image.read(_AT, _HEADER.size))
    if magic != _MAGIC:
        return None
    used = offsets[: offsets.index(0)] if 0 in offsets else offsets
    if not 0 < length <= LARGEST_KARGS or not used:
        raise invalid_area(f"its header says {len(used)} areas of {length} bytes for kernel arguments")
    for offset in (default_at, *used):
        if offset + length > image.source.size:
            raise invalid_area(f"an area for kernel arguments, at {offset}, is after the ISO's end")
    places = tuple(KargsArea(Area(offset, length)) for offset in used)
    default = area_text(image, KargsArea(Area(default_at, length)))
    return KargsPlaces(default, places)
