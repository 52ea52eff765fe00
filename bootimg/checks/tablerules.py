"""Rules for the partition table of a disk and its filesystems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bootimg.checks.findings import Finding, finding
from bootimg.checks.layouts import DISK_GUID, FILESYSTEMS, LAYOUTS, PREP, TAIL, ExpectedLayout, Place
from bootimg.checks.rules import Rule

Json = dict[str, Any]


def layout_of(disk: Json) -> ExpectedLayout:
    """The layout that matches most partitions of a disk, as `bootimg.disk.inspection` describes it."""
    there = {(each["number"], each["name"], each["type"]) for each in disk["partitions"]}
    return max(
        LAYOUTS, key=lambda layout: sum((p.number, p.name, p.type_guid) in there for p in layout.places)
    )


def table_findings(disk: Json, layout: ExpectedLayout) -> Iterator[Finding]:
    """Findings about the table, and about types, labels and UUIDs of filesystems."""
    if disk["disk-guid"] != DISK_GUID:
        message = f"the first boot looks for {DISK_GUID}"
        yield finding(Rule.DISK_STAMP, "partition table", disk["disk-guid"], message)
    found = {each["number"]: each for each in disk["partitions"]}
    for place in layout.places:
        yield from _partition(place, found.get(place.number), layout)
    known = {place.number for place in layout.places}
    for number in sorted(found.keys() - known):
        message = f"a disk for {layout.arch} has no such partition"
        yield finding(Rule.PARTITION_LAYOUT, f"partition {number}", found[number]["name"], message)
    end = max((each["offset"] + each["size"] for each in found.values()), default=0)
    if disk["virtual-size"] - end < TAIL:
        message = f"{TAIL} bytes must be free there"
        evidence = f"{disk['virtual-size'] - end} bytes after the last partition"
        yield finding(Rule.DISK_TAIL, "partition table", evidence, message)
    for each in disk["partitions"]:
        yield from _filesystem(each)
        if each["type"] == PREP and not each["boot-code"]:
            message = "the firmware finds nothing to start"
            yield finding(Rule.BOOT_CODE, f"partition {each['number']}", "no program for PowerPC", message)


def _partition(place: Place, found: Json | None, layout: ExpectedLayout) -> Iterator[Finding]:
    where, context = f"partition {place.number}", f"on a disk for {layout.arch}"
    if found is None:
        message = f"the partition {place.name} {context} is missing"
        yield finding(Rule.PARTITION_LAYOUT, where, "none", message)
        return
    for key, wanted in (("name", place.name), ("type", place.type_guid)):
        if found[key] != wanted:
            message = f"its {key} {context} is {wanted}"
            yield finding(Rule.PARTITION_LAYOUT, where, found[key], message)
    if place.size not in (None, found["size"]):
        message = f"the partition {place.name} usually has {place.size} bytes"
        yield finding(Rule.PARTITION_SIZE, where, f"{found['size']} bytes", message)


def _filesystem(partition: Json) -> Iterator[Finding]:
    name = partition["name"]
    wanted = FILESYSTEMS.get(name)
    if wanted is None:
        return
    where, found = f"partition {partition['number']} ({name})", partition["filesystem"] or {}
    rules = ((Rule.FILESYSTEM_TYPE, "type", wanted.type), (Rule.FILESYSTEM_LABEL, "label", name),
             (Rule.FILESYSTEM_STAMP, "uuid", wanted.uuid))  # fmt: skip
    for rule, key, value in rules:
        if found.get(key) != value:
            yield finding(rule, where, f"{key}: {found.get(key)}", f"its filesystem's {key} must be {value}")
