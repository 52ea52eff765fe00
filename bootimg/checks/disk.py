"""All findings about a disk image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bootimg.checks.bootrules import boot_findings
from bootimg.checks.disksystem import aleph, labels_of, system_of_deployment
from bootimg.checks.findings import Finding, finding
from bootimg.checks.image import system_findings
from bootimg.checks.purity import Purity
from bootimg.checks.rules import Rule
from bootimg.checks.sizerules import size_findings
from bootimg.checks.system import STRANGE, System
from bootimg.checks.tablerules import layout_of, table_findings
from bootimg.checks.ziplrules import zipl_findings
from bootimg.disk.aleph import ALEPH, COREOS_ALEPH
from bootimg.disk.inspection import inspect_disk, root_image
from bootimg.disk.unmounted import deployments
from bootimg.disk.xfsread import XfsImage
from bootimg.errors import BootimgError
from bootimg.layer.image.fetched import VERSION_LABEL
from bootimg.untrusted.budget import Budget

Json = dict[str, Any]
_DAMAGED = ("gpt-damaged", "boot-partition-unreadable", "boot-filesystem-damaged")
_REFERENCE = "container-image-reference"


def disk_findings(
    disk: Path,
    disk_format: str,
    folder: Path,
    mode: Purity = Purity.ERROR,
    allow: Sequence[str] = (),
    *,
    name: str | None = None,
    budget: Budget | None = None,
) -> list[Finding]:
    """All findings about an uncompressed disk image; `folder` is an empty scratch folder.

    `name` is the user's file name, if it differs from that of `disk`.

    Errors: `image-over-budget`, and those about this machine, such as `qemu-img-missing`.
    """
    budget = budget or Budget()
    try:
        found = inspect_disk(disk, disk_format, folder, budget)
    except BootimgError as error:
        if error.id not in _DAMAGED:
            raise
        return [finding(Rule.DISK_UNREADABLE, str(disk), error, "it is not a bootable disk")]
    layout = layout_of(found)
    findings = [*table_findings(found, layout)]
    if found["boot"] is not None:
        findings += boot_findings(found["boot"], layout.arch)
        findings += zipl_findings(found["zipl"], found["boot"], layout.arch)
        findings += size_findings(found["boot"]["ignition-platform"], found["virtual-size"])
    if found["root"] is not None:
        findings += _root(found["root"], root_image(folder, budget), folder, mode, allow, name or disk.name)
    return findings


def _root(
    root: Json, image: XfsImage, folder: Path, mode: Purity, allow: Sequence[str], name: str
) -> Iterator[Finding]:
    if root["problem"] is not None:
        problem = root["problem"]
        evidence = f"{problem['id']}: {problem['message']}"
        yield finding(Rule.ROOT_UNREADABLE, "partition root", evidence, "the deployments are not known")
        return
    try:
        yield from _deployed(root["deployments"])
        yield from _aleph(image)
        for stateroot, path in deployments(image):
            system = system_of_deployment(image, path, f"deployment in {stateroot}", folder)
            yield from system_findings(system, mode, allow)
            yield from _name(name, system)
    except BootimgError as error:
        if error.id not in ("root-filesystem-unreadable", *STRANGE):
            raise
        yield finding(Rule.ROOT_UNREADABLE, "partition root", error, "parts of it were not checked")


def _deployed(found: Sequence[Json]) -> Iterator[Finding]:
    if len(found) != 1:
        evidence = ", ".join(f"{each['stateroot']}: {each['commit']}" for each in found) or "none"
        yield finding(Rule.DEPLOYMENT, "/ostree/deploy", evidence, "a boot image has one deployment")
    for each in found:
        if not (each["origin"] or {}).get(_REFERENCE):
            message = "the machine does not know where updates come from"
            where = f"deployment {each['commit']} in {each['stateroot']}"
            yield finding(Rule.ORIGIN, where, f"no {_REFERENCE}", message)


def _name(name: str, system: System) -> Iterator[Finding]:
    start = f"{system.labels.get('com.coreos.osname', '')}-"
    if start != "-" and name.startswith(start) and not name.startswith(f"{start}{system.version}-"):
        yield finding(Rule.FILE_NAME, system.where, name, f"the version on the disk is {system.version}")


def _aleph(image: XfsImage) -> Iterator[Finding]:
    names = image.listing("/")
    for name in (ALEPH, COREOS_ALEPH):
        if name not in names:
            yield finding(Rule.ALEPH, f"/{name}", "none", "the installed version is not recorded")
    if ALEPH not in names and COREOS_ALEPH not in names:
        return
    document = aleph(image)
    version, labels = document.get("version"), labels_of(document)
    if not version:
        yield finding(Rule.ALEPH, f"/{ALEPH}", f"version: {version}", "the installed version is not recorded")
    elif labels is not None and labels.get(VERSION_LABEL) != version:
        message = "the labels of the image have another version"
        yield finding(Rule.ALEPH, f"/{ALEPH}", f"{version}, {labels.get(VERSION_LABEL)}", message)
