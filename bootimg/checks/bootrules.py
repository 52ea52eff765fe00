"""Rules for a disk's /boot: the first boot must find the system and run Ignition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bootimg.arch import Arch
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.disk.bootpatch import CONSOLE_CFG, ENTRIES, FIRSTBOOT, IGNITION_PLATFORM
from bootimg.kernelarg import FIRSTBOOT as FIRSTBOOT_VARIABLE
from bootimg.kernelarg import fault, line_limit
from bootimg.platform import platforms

Json = dict[str, Any]
_KEYS = ("title", "version", "linux", "initrd", "options")


def boot_findings(boot: Json, arch: Arch) -> Iterator[Finding]:
    """Findings about a /boot, as `bootimg.disk.inspection` describes it."""
    entries = boot["entries"]
    if len(entries) != 1:
        names = ", ".join(each["file"] for each in entries) or "none"
        message = "a boot image has one boot loader entry"
        yield finding(Rule.BLS_ENTRY, f"/boot{ENTRIES}", names, message)
    for entry in entries:
        yield from _entry(entry, arch)
    if arch.row.has_grub and not boot["console-markers"]:
        message = "coreos-installer cannot change the console"
        yield finding(Rule.CONSOLE_MARKERS, f"/boot{CONSOLE_CFG}", "no markers", message)
    if not boot["first-boot"]:
        yield finding(Rule.FIRSTBOOT_STAMP, f"/boot{FIRSTBOOT}", "none", "Ignition will not run")


def _entry(entry: Json, arch: Arch) -> Iterator[Finding]:
    where, options = f"/boot{ENTRIES}/{entry['file']}", entry["options"]
    missing = [key for key in _KEYS if not entry.get(key)]
    if missing:
        yield finding(Rule.BLS_ENTRY, where, f"no {', '.join(missing)}", "the entry is incomplete")
    if entry["fault"] is not None:
        message = "boot loaders read the entry differently"
        yield finding(Rule.BLS_ENTRY, where, entry["fault"], message)
    found = _values(options, "ostree=")
    if len(found) != 1:
        message = "the entry does not say which deployment to boot"
        yield finding(Rule.BLS_OSTREE, where, f"ostree: {', '.join(found) or 'none'}", message)
    roots = [word for word in options if word.startswith(("root=", "boot="))]
    if roots:
        message = "the first boot will not add the arguments of the machine"
        yield finding(Rule.BLS_ROOT, where, " ".join(roots), message)
    if arch.row.has_grub and FIRSTBOOT_VARIABLE not in options:
        message = "GRUB cannot tell the first boot to run Ignition"
        yield finding(Rule.BLS_FIRSTBOOT, where, f"no {FIRSTBOOT_VARIABLE}", message)
    yield from _arguments(where, options, arch)
    yield from _platform(where, _values(options, IGNITION_PLATFORM))


def _arguments(where: str, options: Sequence[str], arch: Arch) -> Iterator[Finding]:
    for word in options:
        if word != FIRSTBOOT_VARIABLE and (reason := fault(word)) is not None:
            yield finding(Rule.BLS_ARGUMENT, where, f"{word:.80}", reason)
    length = len(" ".join(options))
    if length > line_limit(arch):
        message = f"a kernel's command line has at most {line_limit(arch)}: the last arguments are lost"
        yield finding(Rule.BLS_ARGUMENT, where, f"{length} characters", message)


def _platform(where: str, found: Sequence[str]) -> Iterator[Finding]:
    if len(found) != 1:
        message = "Ignition does not know its platform, so it finds no config"
        yield finding(Rule.IGNITION_PLATFORM, where, f"platforms: {', '.join(found) or 'none'}", message)
    known = {each.ignition_id for each in platforms().values()}
    for name in found:
        if name not in known:
            message = "no plugin makes images for this platform"
            yield finding(Rule.PLATFORM_UNKNOWN, where, f"{IGNITION_PLATFORM}{name}", message)


def _values(options: Sequence[str], prefix: str) -> list[str]:
    return [word.removeprefix(prefix) for word in options if word.startswith(prefix)]
