"""Rules for the boot script of a live ISO, and for the program that Open Firmware starts by it."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.disk.bootloaders.elf32 import HEADER, is_program
from bootimg.live.bootways.openfirmware import started_by
from bootimg.live.iso.image import IsoImage


def script_findings(image: IsoImage, path: str) -> Iterator[Finding]:
    """Findings about the boot script at a path of the ISO."""
    where, record = f"/{path}", image.find(path)
    if record is None or record.folder:
        yield finding(Rule.ISO_BOOT, where, "none", "no firmware of ppc64le starts the ISO")
        return
    program = started_by(image)
    if program is None:
        yield finding(Rule.ISO_BOOT, where, "no boot script", "it has to name the program to start")
        return
    started = image.find(program)
    if started is None or started.folder:
        yield finding(Rule.ISO_BOOT, where, f"it starts /{program}", "there is no such file")
    elif not is_program(image.read(started.offset, min(started.length, HEADER.size))):
        message = "it is no program for PowerPC"
        yield finding(Rule.ISO_BOOT, f"/{program}", f"at {started.offset}", message)
