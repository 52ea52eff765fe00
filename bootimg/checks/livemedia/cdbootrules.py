"""Rules for what starts a live ISO of s390x: cdboot.img, and the files that a logical partition loads."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.disk.zipl.kernelimage import ARGUMENTS_AT, INITRAMFS_AT
from bootimg.errors import BootimgError
from bootimg.live.bootways.lpar import ADDRESS_FILE, INS_FILE
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.embed.places import Area
from bootimg.live.iso.bootrow import CDBOOT_IMAGE
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.liveiso import INITRD
from bootimg.live.malformed import MalformedError
from bootimg.live.reading.cdbootimage import CdbootParts, first_difference, read_cdboot, read_ins
from bootimg.live.reading.isoparts import kernel_of, named_part, part_of
from bootimg.live.reading.region import Region

_CDBOOT, _INS, _ADDRESS = f"/{CDBOOT_IMAGE}", f"/{INS_FILE}", f"/{ADDRESS_FILE}"


def cdboot_findings(image: IsoImage) -> Iterator[Finding]:
    """Findings about the image itself; that it is missing is another finding."""
    cdboot = part_of(image, CDBOOT_IMAGE)
    if cdboot is None:
        return
    try:
        parts = read_cdboot(cdboot)
    except MalformedError as error:
        yield finding(Rule.ISO_BOOT, _CDBOOT, error, "no firmware starts it")
        return
    yield from _files(image, parts)
    yield from _areas(image, parts)


def lpar_findings(image: IsoImage) -> Iterator[Finding]:
    """Findings about the list of what is loaded, and the size of the initramfs in it."""
    listed = part_of(image, INS_FILE)
    if listed is None:
        yield finding(Rule.ISO_BOOT, _INS, "none", "a logical partition is started by it")
        return
    try:
        addresses = read_ins(listed)
    except MalformedError as error:
        yield finding(Rule.ISO_BOOT, _INS, error, "no logical partition is started by it")
        return
    found = {path: named_part(image, path) for path in addresses}
    for path in (path for path, part in found.items() if part is None):
        yield finding(Rule.ISO_BOOT, _INS, f"/{path}"[:200], "the file is not on the ISO")
    yield from _overlaps({path: (addresses[path], part.length) for path, part in found.items() if part})
    yield from _initramfs_address(image, addresses)


def _files(image: IsoImage, parts: CdbootParts) -> Iterator[Finding]:
    """The kernel and the initramfs are those of the files beside the image."""
    kernel, initramfs = kernel_of(image), part_of(image, INITRD)
    if kernel is not None and not _same(kernel, parts.kernel, parts.parameters):
        message = "its kernel is not the one of the ISO's file for PXE"
        yield finding(Rule.ISO_BOOT, _CDBOOT, f"{parts.kernel.length} bytes of kernel", message)
    if initramfs is not None and not _same(initramfs, parts.initramfs):
        message = f"its initramfs does not begin with /{INITRD}"
        yield finding(Rule.ISO_BOOT, _CDBOOT, f"{parts.initramfs.length} bytes of initramfs", message)


def _same(file: Region, inside: Region, ignored: tuple[range, ...] = ()) -> bool:
    """Whether a region begins with a file, and has not another page than that after it."""
    return file.length <= inside.length and first_difference(file, inside, ignored) is None


def _areas(image: IsoImage, parts: CdbootParts) -> Iterator[Finding]:
    """The areas that are written after the build are where the kernel looks."""
    try:
        iso = CoreosIso(image.source, image.budget)
    except BootimgError as error:
        # That there are none is a finding about the areas.
        if error.id not in ("iso-area-invalid", "iso-not-coreos"):
            raise
        return
    end = parts.initramfs.offset + parts.initramfs.length
    if not _inside(iso.initrd_area, parts.initramfs.offset, end):
        message = f"the initramfs is at {parts.initramfs.offset} to {end}"
        evidence = f"the area for the Ignition config is at {iso.initrd_area.offset}"
        yield finding(Rule.ISO_BOOT, _CDBOOT, evidence, message)
    wanted = parts.kernel.offset + ARGUMENTS_AT
    places = [] if iso.kargs_places is None else [each.area.offset for each in iso.kargs_places.places]
    if places and places != [wanted]:
        message = f"the kernel takes its arguments from {wanted}"
        evidence = f"areas for kernel arguments at {', '.join(map(str, places))}"
        yield finding(Rule.ISO_BOOT, _CDBOOT, evidence, message)


def _inside(area: Area, start: int, end: int) -> bool:
    return start <= area.offset and area.offset + area.length <= end


def _overlaps(places: dict[str, tuple[int, int]]) -> Iterator[Finding]:
    """Only what lies in the kernel's parameters may be loaded over another file."""
    large = {path: each for path, each in places.items() if each[0] not in (ARGUMENTS_AT, INITRAMFS_AT)}
    end, before = 0, ""
    for path, (start, length) in sorted(large.items(), key=lambda each: each[1]):
        if start < end:
            message = f"it is loaded over the end of {before}"
            yield finding(Rule.ISO_BOOT, _INS, f"{path} at 0x{start:x}"[:200], message)
        end, before = start + length, path


def _initramfs_address(image: IsoImage, addresses: dict[str, int]) -> Iterator[Finding]:
    given, initramfs = named_part(image, ADDRESS_FILE), part_of(image, INITRD)
    if given is None or initramfs is None:
        return
    data = b"".join(given.chunks(16)) if given.length == 16 else b""
    found = (int.from_bytes(data[:8]), int.from_bytes(data[8:]))
    if found != (addresses.get(INITRD, -1), initramfs.length):
        message = f"/{INITRD} has {initramfs.length} bytes and is loaded to another address, or cut off"
        yield finding(Rule.ISO_BOOT, _ADDRESS, f"{found[1]} bytes at 0x{found[0]:x}", message)
