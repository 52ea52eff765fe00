"""Rules for the volume, the areas and the files of a live ISO."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.checks.findings import Finding, finding
from bootimg.checks.livemedia.liveexpected import Expected
from bootimg.checks.rules import Rule
from bootimg.errors import BootimgError
from bootimg.kernelarg import split
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.embed.initrd import IGNITION
from bootimg.live.embed.places import KargsArea
from bootimg.live.iso.descriptors import VOLUME_ID_LENGTH
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.infofiles import KARGS, KARGS_PAD
from bootimg.live.iso.volumeid import fits_version
from bootimg.live.miniso.find import find_miniso
from bootimg.live.miniso.source import MinimalIso
from bootimg.untrusted.jsonfile import find_object

LABEL = "coreos.liveiso="
_MARKER = b"# COREOS_KARG_EMBED_AREA"
_MINISO_DAMAGED = ("miniso-damaged", "miniso-iso-differs")
_MINISO_UNKNOWN = ("iso-minimal-unsupported", "miniso-version-unsupported")


def volume_findings(image: IsoImage, version: str | None, expected: Expected | None) -> Iterator[Finding]:
    """Findings about the volume id; `version` is that of the initramfs, None if it is not known."""
    found = image.volume.id
    if expected is not None:
        wanted = f"{expected.name}-{expected.build_id}"[:VOLUME_ID_LENGTH]
        if found != wanted:
            yield finding(Rule.ISO_VOLUME_ID, "volume", found, f"in this build it has to be {wanted}")
    elif version is not None and not fits_version(found, version):
        message = f"the version is {version}"
        yield finding(Rule.ISO_VOLUME_ID, "volume", found, message)


def area_findings(iso: CoreosIso, *, has_rootfs: bool) -> Iterator[Finding]:
    """Findings about what is in the areas, which are inside their files."""
    yield from _config(iso)
    if iso.kargs_places is None:
        message = "nobody can change the kernel arguments"
        yield finding(Rule.ISO_AREA, f"/{KARGS}", "no areas for kernel arguments", message)
        return
    for place in iso.kargs_places.places:
        yield from _marker(iso.image, place)
    try:
        text = iso.kargs
    except BootimgError as error:
        if error.id != "iso-area-invalid":
            raise
        message = "the firmware decides which of them are used"
        yield finding(Rule.ISO_AREA, "kernel arguments", error, message)
        return
    if text != iso.default_kargs:
        message = f"the ISO was made with: {iso.default_kargs}"
        yield finding(Rule.ISO_KARGS_CHANGED, "kernel arguments", text, message)
    yield from _label(iso.image, text, has_rootfs=has_rootfs)


def minimal_findings(iso: CoreosIso) -> Iterator[Finding]:
    """Findings about the data for a minimal ISO, which fits only an ISO that was not changed."""
    places = iso.kargs_places
    try:
        if iso.files or (places is not None and iso.kargs != places.default):
            return
        MinimalIso(iso.image.source, find_miniso(iso.image), iso.image.budget).verify()
    except BootimgError as error:
        if error.id in _MINISO_DAMAGED:
            message = "no minimal ISO can be made of this ISO"
            yield finding(Rule.ISO_MINIMAL, "/coreos/miniso.dat", error, message)
        # What is wrong with the areas is a finding about them.
        elif error.id not in (*_MINISO_UNKNOWN, "iso-area-invalid"):
            raise


def _config(iso: CoreosIso) -> Iterator[Finding]:
    where = "area for the Ignition config"
    try:
        files = iso.files
    except BootimgError as error:
        if error.id != "iso-area-invalid":
            raise
        yield finding(Rule.ISO_CONFIG, where, error, "the live system ignores it, or does not start")
        return
    if IGNITION in files and find_object(files[IGNITION]) is None:
        message = "Ignition stops the boot"
        yield finding(Rule.ISO_CONFIG, where, f"{IGNITION} is no JSON object", message)


def _marker(image: IsoImage, place: KargsArea) -> Iterator[Finding]:
    """What follows an area in a boot menu; an area in a boot image has other padding and nothing after it."""
    end = place.area.offset + place.area.length
    room = min(len(_MARKER), image.source.size - end)
    if place.pad == KARGS_PAD and image.read(end, room) != _MARKER:
        where, message = f"area at {place.area.offset}", f"it is not followed by {_MARKER.decode()!r}"
        yield finding(Rule.ISO_AREA, where, f"{place.area.length} bytes", message)


def _label(image: IsoImage, text: str, *, has_rootfs: bool) -> Iterator[Finding]:
    found = [word.removeprefix(LABEL) for word in split(text) if word.startswith(LABEL)]
    wanted = [image.volume.id] if has_rootfs else []
    if found != wanted:
        evidence = f"{LABEL}{', '.join(found)}" if found else f"no {LABEL}"
        message = (
            f"the live system finds its ISO by the volume id, {image.volume.id}"
            if has_rootfs
            else "a minimal ISO has no root file system: the live system would look for it in vain"
        )
        yield finding(Rule.ISO_LABEL, "kernel arguments", evidence, message)
