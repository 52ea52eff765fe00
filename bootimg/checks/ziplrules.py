"""Rules for zipl's record: the machine starts what it leads to, not what the boot loader entry says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bootimg.arch import Arch
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.disk.bootpatch import ENTRIES
from bootimg.disk.zipl.describe import SDBOOT, SECURE

Json = dict[str, Any]
_WHERE = "zipl's boot record"
_FIRSTBOOT = "ignition.firstboot"


def zipl_findings(zipl: Json | None, boot: Json, arch: Arch) -> Iterator[Finding]:
    """Findings about the record of a disk, as `bootimg.disk.inspection` describes it beside its /boot."""
    if zipl is None:
        if not arch.row.has_grub:
            yield finding(
                Rule.ZIPL_RECORD, "the first sector", "no record", "the machine cannot boot the disk"
            )
        return
    if (problem := zipl["problem"]) is not None:
        evidence = f"{problem['message']}: {', '.join(problem.get('context', ()))}"
        yield finding(Rule.ZIPL_RECORD, _WHERE, evidence, "the machine cannot boot the disk")
        return
    if zipl["secure"]:
        if not zipl["kernel"]:
            message = f"its pointers do not lead to the encrypted image {SDBOOT} and to nothing else"
            yield finding(Rule.ZIPL_RECORD, _WHERE, f"partition {SECURE}", message)
        return
    entry = next(iter(boot["entries"]), {"file": "none", "options": []})
    for what, key in (("kernel", "linux"), ("initramfs", "initrd")):
        if not zipl[what]:
            message = f"its pointers do not lead to the {what} that /boot{ENTRIES}/{entry['file']} names"
            yield finding(Rule.ZIPL_RECORD, _WHERE, entry.get(key) or "none", message)
    wanted = [*entry["options"], *([_FIRSTBOOT] if boot["first-boot"] else [])]
    if zipl["arguments"] != wanted:
        message = f"the arguments differ from those of /boot{ENTRIES}/{entry['file']} and of the first boot"
        yield finding(Rule.ZIPL_RECORD, _WHERE, " ".join(zipl["arguments"]), message)
