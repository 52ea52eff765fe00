"""Where the areas of a CoreOS ISO are: what its files igninfo.json, kargs.json and features.json say.

Older ISOs (before 2021-12) have the places of the kernel arguments at the end of the system area instead, and
before 2021-09 none.  The facts are coreos-installer's (src/live/embed.rs).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.image import IsoImage, Record
from bootimg.live.iso.sectors import SYSTEM_AREA
from bootimg.sizes import KIB, MIB
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.node import Fields

IGNINFO, KARGS, FEATURES = "COREOS/IGNINFO.JSO", "COREOS/KARGS.JSO", "COREOS/FEATURES.JSO"
LONGEST_KARGS = 2048
"""The most bytes of an area for kernel arguments that coreos-installer takes."""
_DEFAULT_INITRD = "IMAGES/IGNITION.IMG"
_LARGEST_INITRD = 16 * MIB
_LARGEST_JSON = 64 * KIB
_MOST_FILES = 64
_LEGACY = struct.Struct("<8sQQ6Q")
_LEGACY_MAGIC = b"coreKarg"
# 24 bytes of an older header follow.
_LEGACY_AT = SYSTEM_AREA - 24 - _LEGACY.size
_END, _PAD = "\n", "#"


@dataclass(frozen=True, slots=True)
class Area:
    """Bytes of the ISO: offset and length."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class KargsArea:
    """One place of the kernel arguments: their text, `end`, and `pad` up to the area's length."""

    area: Area
    end: str = _END
    pad: str = _PAD


@dataclass(frozen=True, slots=True)
class KargsPlaces:
    """The places of the kernel arguments, all of the same length, by their offset, and the default text."""

    default: str
    places: tuple[KargsArea, ...]

    @property
    def length(self) -> int:
        """The bytes of each area."""
        return self.places[0].area.length


def initrd_area(image: IsoImage) -> Area:
    """The area of the Ignition config; raises `iso-not-coreos` and `iso-area-invalid`."""
    info = _json(image, IGNINFO)
    path, offset, length = _DEFAULT_INITRD, 0, None
    if info is not None:
        path = info.required("file", str)
        offset = info.number("offset") or 0
        length = info.number("length")
    file = image.find(path)
    if file is None or file.folder:
        if info is None:
            raise _not_coreos()
        raise invalid_area(f"{IGNINFO} names {path!r:.200}, which is not on the ISO")
    area = _within(image, file, offset, file.length - offset if length is None else length)
    if area.length > _LARGEST_INITRD:
        raise invalid_area(f"the area for the Ignition config has {area.length} bytes")
    return area


def kargs_places(image: IsoImage) -> KargsPlaces | None:
    """The places of the kernel arguments; None if the ISO has none."""
    info = _json(image, KARGS)
    if info is None:
        return _legacy_places(image)
    size = info.needed("size").number(1, LONGEST_KARGS)
    default = info.required("default", str)
    files = info.objects("files")
    if not 0 < len(files) <= _MOST_FILES or len(default.encode()) >= size:
        raise invalid_area(f"{KARGS} lists {len(files)} files and arguments of {len(default)} characters")
    return KargsPlaces(default, tuple(sorted((_karg_file(image, each, size) for each in files), key=_offset)))


def require_apart(found: Iterable[Area]) -> None:
    """Refuse areas that overlap: a change of one would change another."""
    end = 0
    for area in sorted(found, key=lambda each: each.offset):
        if area.offset < end:
            raise invalid_area(f"the area at {area.offset} overlaps another")
        end = area.offset + area.length


def has_feature(image: IsoImage, name: str) -> bool:
    """Whether features.json says that the live system has a feature."""
    info = _json(image, FEATURES)
    return info is not None and info.take(name, bool) is True


def _karg_file(image: IsoImage, fields: Fields, size: int) -> KargsArea:
    path = fields.required("path", str)
    file = image.find(path)
    if file is None or file.folder:
        raise invalid_area(f"{KARGS} names {path!r:.200}, which is not on the ISO")
    area = _within(image, file, fields.needed("offset").number(), size)
    return KargsArea(area, _character(fields, "end", _END), _character(fields, "pad", _PAD))


def _character(fields: Fields, key: str, default: str) -> str:
    found = fields.take(key, str)
    if found is None:
        return default
    if len(found) != 1 or not found.isascii():
        raise fields.at(key).error(f"is {found!r:.80}, not one ASCII character")
    return found


def _legacy_places(image: IsoImage) -> KargsPlaces | None:
    magic, length, default_at, *offsets = _LEGACY.unpack(image.read(_LEGACY_AT, _LEGACY.size))
    if magic != _LEGACY_MAGIC:
        return None
    used = offsets[: offsets.index(0)] if 0 in offsets else offsets
    if not 0 < length <= LONGEST_KARGS or not used:
        raise invalid_area(f"its header says {len(used)} areas of {length} bytes for kernel arguments")
    for offset in (default_at, *used):
        if offset + length > image.source.size:
            raise invalid_area(f"an area for kernel arguments, at {offset}, is after the ISO's end")
    places = tuple(KargsArea(Area(offset, length)) for offset in used)
    return KargsPlaces(
        area_text(image, KargsArea(Area(default_at, length))), tuple(sorted(places, key=_offset))
    )


def area_text(image: IsoImage, place: KargsArea) -> str:
    """The kernel arguments in one place."""
    data = image.read(place.area.offset, place.area.length)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise invalid_area("an area for kernel arguments is not UTF-8") from None
    return text.rstrip(place.pad).rstrip(place.end).strip()


def _offset(place: KargsArea) -> int:
    return place.area.offset


def _within(image: IsoImage, file: Record, offset: int, length: int) -> Area:
    if length < 1 or offset + length > file.length:
        raise invalid_area(f"{length} bytes at {offset} are not inside /{file.path:.200}")
    return Area(file.offset + offset, length)


def _json(image: IsoImage, path: str) -> Fields | None:
    file = image.find(path)
    if file is None or file.folder:
        return None
    data = image.content(file, _LARGEST_JSON)
    return parse_object(data, lambda why: invalid_area(f"/{path}: {why}"), limit=_LARGEST_JSON)


def invalid_area(why: str) -> BootimgError:
    """The error for areas that are not where the ISO says, or have something else in them."""
    return BootimgError(
        "iso-area-invalid",
        f"the ISO's areas for changes cannot be used: {why}",
        hint="get the ISO again; if it is new, please report it",
        exit_code=ExitCode.USAGE,
    )


def _not_coreos() -> BootimgError:
    return BootimgError(
        "iso-not-coreos",
        "the ISO is not a live ISO of CoreOS: it has no area for an Ignition config",
        context=[f"looked for /{IGNINFO} and /{_DEFAULT_INITRD}"],
        hint="give a live ISO of Fedora CoreOS, RHEL CoreOS or bootimg",
        exit_code=ExitCode.USAGE,
    )
