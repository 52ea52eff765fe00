"""All findings about live media: an ISO, alone or of a build, and the files for PXE of a build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from bootimg.checks.findings import Finding, finding
from bootimg.checks.livemedia.isoboot import boot_findings
from bootimg.checks.livemedia.isorules import area_findings, minimal_findings, volume_findings
from bootimg.checks.livemedia.liveexpected import INITRD_KEY, ROOTFS_KEY, Expected
from bootimg.checks.livemedia.liverules import LiveFile, LiveFiles
from bootimg.checks.rules import Rule
from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.live.embed.areas import FEATURES
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.initramfs import FEATURES as OWN_FEATURES
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.infofiles import MINISO
from bootimg.live.iso.liveiso import INITRD, KERNEL, ROOTFS
from bootimg.live.reading.isoparts import arch_of, kernel_of, part_of
from bootimg.live.reading.region import Region
from bootimg.live.reading.wanthash import sha256_of
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget

_NO_ISO = ("iso-unreadable", "iso-compressed", "iso-not-coreos")


def iso_findings(path: Path, expected: Expected | None = None, budget: Budget | None = None) -> list[Finding]:
    """All findings about an ISO; `expected` is what its build says, None for an ISO alone.

    What is wrong with the ISO is a finding, whatever it is; `image-over-budget`.
    """
    found: list[Finding] = []
    with FileSource(path) as source:
        try:
            # The findings before an error are kept.
            for each in _iso(IsoImage(source, budget), expected):
                found.append(each)
        except BootimgError as error:
            if error.id not in _NO_ISO:
                raise
            message = "not all of it was checked"
            found.append(finding(Rule.ISO_DAMAGED, path.name, error, message))
    return found


def pxe_findings(
    initramfs: Path, rootfs: Path, expected: Expected, budget: Budget | None = None
) -> list[Finding]:
    """All findings about the initramfs and the rootfs image for PXE of a build."""
    with ExitStack() as stack:
        sources = [stack.enter_context(FileSource(path)) for path in (initramfs, rootfs)]
        regions = [Region(source, 0, source.size) for source in sources]
        files = [LiveFile(key, each) for key, each in zip((INITRD_KEY, ROOTFS_KEY), regions, strict=True)]
        return list(LiveFiles(files[0], files[1], expected, budget or Budget()).findings())


def _iso(image: IsoImage, expected: Expected | None) -> Iterator[Finding]:
    parts = {KERNEL: kernel_of(image), **{path: part_of(image, path) for path in (INITRD, ROOTFS)}}
    is_minimal = parts[ROOTFS] is None and part_of(image, MINISO) is None and expected is None
    for path, region in parts.items():
        if region is None and not (is_minimal and path == ROOTFS):
            yield finding(Rule.ISO_FILES, f"/{path}", "none", "the live system does not start")
    yield from _areas(image, has_rootfs=not is_minimal)
    yield from _boot(image, expected)
    initramfs, rootfs = (_live_file(path, parts) for path in (INITRD, ROOTFS))
    files = LiveFiles(initramfs, rootfs, expected, image.budget)
    yield from files.findings()
    yield from volume_findings(image, files.live.version if files.live else None, expected)
    yield from _features(image, files)
    yield from _digests(parts, files.rootfs_sha256, expected)


def _areas(image: IsoImage, *, has_rootfs: bool) -> Iterator[Finding]:
    try:
        iso = CoreosIso(image.source, image.budget)
    except BootimgError as error:
        if error.id != "iso-area-invalid":
            raise
        yield finding(Rule.ISO_AREA, "info files", error, "nobody can change what is embedded")
        return
    yield from area_findings(iso, has_rootfs=has_rootfs)
    yield from minimal_findings(iso)


def _boot(image: IsoImage, expected: Expected | None) -> Iterator[Finding]:
    arch = arch_of(image) if expected is None else expected.arch
    if arch is None:
        yield finding(Rule.ISO_BOOT, "ISO", "no boot image of an architecture", "no firmware starts it")
    else:
        yield from boot_findings(image, arch)


def _features(image: IsoImage, files: LiveFiles) -> Iterator[Finding]:
    own, region = None if files.live is None else files.live.features, part_of(image, FEATURES)
    if own is None or region is None:
        return
    if region.length != len(own) or b"".join(region.chunks(MIB)) != own:
        message = f"/{INITRD} has another one as /{OWN_FEATURES}"
        yield finding(Rule.LIVE_FEATURES, f"/{FEATURES}", f"{region.length} bytes", message)


def _digests(
    parts: Mapping[str, Region | None], rootfs_sha256: str | None, expected: Expected | None
) -> Iterator[Finding]:
    for path, wanted in ({} if expected is None else expected.files).items():
        region = parts[path]
        if region is None:
            continue
        found = rootfs_sha256 if path == ROOTFS else sha256_of(region)
        if found != wanted:
            message = f"the build's file for PXE is {wanted}"
            yield finding(Rule.ISO_FILES, f"/{path}", f"sha256 {found}", message)


def _live_file(path: str, parts: Mapping[str, Region | None]) -> LiveFile | None:
    region = parts[path]
    return None if region is None else LiveFile(f"/{path}", region)
