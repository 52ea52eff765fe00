"""Where the areas of a CoreOS ISO are: what its files igninfo.json, kargs.json and features.json say.

The facts are coreos-installer's (src/live/embed.rs).
"""

from __future__ import annotations

from typing import Any

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.embed.oldheader import old_kargs_places
from bootimg.live.embed.places import Area, KargsArea, KargsPlaces, invalid_area
from bootimg.live.iso import infofiles
from bootimg.live.iso.bootrow import IGNITION_IMAGE
from bootimg.live.iso.image import IsoImage, Record
from bootimg.live.iso.infofiles import KARGS_END, KARGS_PAD, LARGEST_KARGS
from bootimg.live.iso.names import short_path
from bootimg.sizes import KIB, MIB
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.node import Fields

IGNINFO, KARGS, FEATURES = map(short_path, (infofiles.IGNINFO, infofiles.KARGS, infofiles.FEATURES))
_LARGEST_INITRD = 16 * MIB
_LARGEST_JSON = 64 * KIB
_MOST_FILES = 64


def initrd_area(image: IsoImage) -> Area:
    """The area of the Ignition config; raises `iso-not-coreos` and `iso-area-invalid`."""
    info = _json(image, IGNINFO)
    path, offset, length = IGNITION_IMAGE, 0, None
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
        return old_kargs_places(image)
    size = info.needed("size").number(1, LARGEST_KARGS)
    default = info.required("default", str)
    files = info.objects("files")
    if not 0 < len(files) <= _MOST_FILES or len(default.encode()) >= size:
        raise invalid_area(f"{KARGS} lists {len(files)} files and arguments of {len(default)} characters")
    return KargsPlaces(default, tuple(_karg_file(image, each, size) for each in files))


def has_feature(image: IsoImage, name: str) -> bool:
    """Whether features.json says that the live system has a feature."""
    info = _json(image, FEATURES)
    return info is not None and info.take(name, bool) is True


def features(image: IsoImage) -> dict[str, Any] | None:
    """The object in features.json; None if there is no such file."""
    info = _json(image, FEATURES)
    return None if info is None else info.values


def _karg_file(image: IsoImage, fields: Fields, size: int) -> KargsArea:
    path = fields.required("path", str)
    file = image.find(path)
    if file is None or file.folder:
        raise invalid_area(f"{KARGS} names {path!r:.200}, which is not on the ISO")
    area = _within(image, file, fields.needed("offset").number(), size)
    return KargsArea(area, _character(fields, "end", KARGS_END), _character(fields, "pad", KARGS_PAD))


def _character(fields: Fields, key: str, default: str) -> str:
    found = fields.take(key, str)
    if found is None:
        return default
    if len(found) != 1 or not found.isascii():
        raise fields.at(key).error(f"is {found!r:.80}, not one ASCII character")
    return found


def _within(image: IsoImage, file: Record, offset: int, length: int) -> Area:
    if length < 1 or offset + length > file.length:
        raise invalid_area(f"{length} bytes at {offset} are not inside /{file.path:.200}")
    return Area(file.offset + offset, length)


def _json(image: IsoImage, path: str) -> Fields | None:
    file = image.find(path)
    if file is None or file.folder:
        return None
    if file.length > _LARGEST_JSON:
        raise invalid_area(f"/{path} has {file.length} bytes")
    data = image.read(file.offset, file.length)
    return parse_object(data, lambda why: invalid_area(f"/{path}: {why}"), limit=_LARGEST_JSON)


def _not_coreos() -> BootimgError:
    return BootimgError(
        "iso-not-coreos",
        "the ISO is not a live ISO of CoreOS: it has no area for an Ignition config",
        context=[f"looked for /{IGNINFO} and /{IGNITION_IMAGE}"],
        hint="give a live ISO of Fedora CoreOS, RHEL CoreOS or bootimg",
        exit_code=ExitCode.USAGE,
    )
