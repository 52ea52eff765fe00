"""Rules for how a live ISO is started: the boot catalogue, and what makes it a disk as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bootimg.arch import Arch
from bootimg.checks.findings import Finding, finding
from bootimg.checks.livemedia.cdbootrules import cdboot_findings, lpar_findings
from bootimg.checks.livemedia.isoscript import script_findings
from bootimg.checks.rules import Rule
from bootimg.disk.gpt import read_gpt
from bootimg.errors import BootimgError
from bootimg.live.iso.bootrow import EFI_IMAGE, ISOLINUX, boot_row
from bootimg.live.iso.eltorito import BootImage, CatalogueEntry, with_info_table
from bootimg.live.iso.hybridread import BLOCK, EFI_KIND, read_mbr
from bootimg.live.iso.image import IsoImage, Record
from bootimg.live.iso.sectors import SECTOR
from bootimg.sizes import MIB

_CATALOGUE, _MBR, _GPT = "boot catalogue", "MBR", "GPT"


def boot_findings(image: IsoImage, arch: Arch) -> Iterator[Finding]:
    """Findings about how the ISO is started on an architecture."""
    row, entries = boot_row(arch), None
    try:
        entries = image.boot_entries()
    except BootimgError as error:
        if error.id != "iso-unreadable":
            raise
        yield finding(Rule.ISO_BOOT, _CATALOGUE, error, "no firmware starts the ISO from a CD")
    for each in row.images:
        record = image.find(each.path)
        if record is None or record.folder:
            yield finding(Rule.ISO_BOOT, f"/{each.path}", "none", f"{arch} is started by it")
            continue
        if entries is not None:
            yield from _entry(entries, each, record)
        if each.info_table:
            yield from _table(image, record)
    if row.boot_script is not None:
        yield from script_findings(image, row.boot_script)
    if row.hybrid:
        yield from _hybrid(image)
    if row.has_cdboot_image:
        yield from cdboot_findings(image)
        yield from lpar_findings(image)


def _entry(entries: Sequence[CatalogueEntry], boot: BootImage, record: Record) -> Iterator[Finding]:
    where = f"{_CATALOGUE}, {boot.platform.name}"
    there = [each for each in entries if each.platform == boot.platform and each.bootable]
    found = [each for each in there if each.offset == record.offset]
    if not found:
        evidence = ", ".join(f"an image at {each.offset}" for each in there) or "no entry"
        yield finding(Rule.ISO_BOOT, where, evidence, f"/{boot.path} is at {record.offset}")
    elif boot.blocks is not None and found[0].blocks != boot.blocks:
        message = f"the firmware has to load {boot.blocks} of /{boot.path}"
        yield finding(Rule.ISO_BOOT, where, f"{found[0].blocks} blocks", message)


def _table(image: IsoImage, record: Record) -> Iterator[Finding]:
    data = image.read(record.offset, min(record.length, MIB))
    try:
        good = with_info_table(data, record.offset // SECTOR) == data
    except BootimgError as error:
        if error.id != "isolinux-invalid":
            raise
        good = False
    if not good:
        message = "its table has other places or another checksum: it stops when it is started"
        yield finding(Rule.ISO_BOOT, f"/{ISOLINUX}", f"at {record.offset}", message)


def _hybrid(image: IsoImage) -> Iterator[Finding]:
    mbr, isolinux, efi = read_mbr(image.source), image.find(ISOLINUX), image.find(EFI_IMAGE)
    if mbr is None:
        yield finding(Rule.ISO_HYBRID, _MBR, "none", "no firmware starts the ISO from a disk")
        return
    if isolinux is not None and mbr.isolinux != isolinux.offset:
        message = f"/{ISOLINUX} is at {isolinux.offset}"
        yield finding(Rule.ISO_HYBRID, _MBR, f"the boot code loads what is at {mbr.isolinux}", message)
    whole = [each for each in mbr.partitions if each.active]
    if [each.offset for each in whole] != [0] or whole[0].length < image.volume.size:
        evidence = ", ".join(f"{each.length} bytes at {each.offset}" for each in whole) or "none"
        message = "one active partition covers the ISO"
        yield finding(Rule.ISO_HYBRID, _MBR, f"active partitions: {evidence}", message)
    if efi is None:
        return
    places = {(each.offset, each.length) for each in mbr.partitions if each.kind == EFI_KIND}
    yield from _efi(_MBR, places, efi)
    try:
        gpt = read_gpt(image.source, BLOCK, hybrid=True)
    except BootimgError as error:
        yield finding(Rule.ISO_HYBRID, _GPT, error, "UEFI does not start the ISO from a disk")
        return
    yield from _efi(_GPT, {gpt.span(each.number) for each in gpt.partitions}, efi)


def _efi(where: str, places: set[tuple[int, int]], efi: Record) -> Iterator[Finding]:
    if not any(offset == efi.offset and length >= efi.length for offset, length in places):
        found = ", ".join(f"{length} bytes at {offset}" for offset, length in sorted(places)) or "none"
        message = f"/{EFI_IMAGE} has {efi.length} bytes at {efi.offset}"
        yield finding(Rule.ISO_HYBRID, where, f"EFI partitions: {found}", message)
