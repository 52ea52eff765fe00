"""Live ISOs as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bootimg.arch import Arch
from bootimg.cli.output.table import table
from bootimg.live.iso.bootrow import boot_row
from bootimg.sizes import format_size

Json = dict[str, Any]


def area_rows(document: Json) -> list[tuple[str, str]]:
    """What an ISO boots, its areas and what is in them."""
    area = document["ignition-area"]
    kargs = document["kargs-areas"]
    changed = document["kargs"] != document["kargs-default"]
    names = {0: _first_platform(document["arch"]), 0xEF: "UEFI"}
    boots = [names.get(each["platform"], f"platform {each['platform']}") for each in document["boot"]]
    if document["boot-script"] is not None:
        boots.append(f"Open Firmware (/{document['boot-script']})")
    return [
        ("volume id", document["volume-id"]),
        ("boots by", ", ".join(boots) or "neither boot catalogue nor boot script"),
        ("ignition area", f"{area['length']} bytes at {area['offset']}"),
        ("embedded", ", ".join(document["embedded"]) or "nothing"),
        ("network", "can be embedded" if document["network-supported"] else "cannot be embedded"),
        ("kargs areas", ", ".join(f"{each['length']} bytes at {each['offset']}" for each in kargs) or "none"),
        *([("kargs", document["kargs"] + ("  (changed)" if changed else ""))] if kargs else []),
        *([("  default", document["kargs-default"])] if changed else []),
    ]


def _first_platform(arch: str | None) -> str:
    """What starts images of the platform 0: boot catalogues have no number for a firmware without BIOS."""
    return "BIOS" if arch is None or not boot_row(Arch(arch)).has_cdboot_image else arch


def iso_lines(document: Json, width: int | None = None) -> Iterator[str]:
    """The lines that describe an ISO, for a terminal of this width."""
    yield from table([
        ("ISO", document["path"]),
        ("size", format_size(document["size"])),
        *area_rows(document),
        ("as a disk", "boots" if document["boots-as-disk"] else "does not boot"),
        ("arch", document["arch"] or "unknown"),
        ("features", ", ".join(_features(document["features"] or {})) or "none"),
        *live_rows(document["initramfs"], document["rootfs"]),
        ("minimal ISO", _minimal(document["minimal-iso"])),
        *(("package", each["nevra"]) for each in document["packages"] or ()),
    ], width=width)  # fmt: skip


def build_live_rows(document: Json) -> Iterator[tuple[str, str]]:
    """A build's live media: the ISO's own facts, and what the files for network boots have."""
    iso = document["iso"]
    if iso is not None:
        yield "live ISO", iso["problem"]["message"] if iso["problem"] else iso["volume-id"]
    yield from live_rows(document["initramfs"], document["rootfs"])


def live_rows(initramfs: Json | None, rootfs: Json | None) -> Iterator[tuple[str, str]]:
    """What an initramfs and its rootfs image have."""
    yield "initramfs", _live_file(initramfs)
    yield "rootfs", _live_file(rootfs)
    if rootfs is None or rootfs["problem"]:
        return
    filesystem = rootfs["filesystem"]
    words = [filesystem["type"], format_size(filesystem["size"]), *filesystem["compressors"]]
    yield "  file system", ", ".join(words)
    yield from (("  osmet", _osmet(each)) for each in rootfs["osmet"])


def _live_file(document: Json | None) -> str:
    if document is None:
        return "none"
    said = document["problem"]["message"] if document["problem"] else f"version {document['version']}"
    return f"{format_size(document['size'])}, {said}"


def _osmet(document: Json) -> str:
    if document["problem"]:
        return f"{document['name']}: {document['problem']['message']}"
    return (
        f"{document['name']}: sectors of {document['sector-size']} bytes, image of "
        f"{format_size(document['size'])}, {document['architecture']}, {document['description']}, "
        f"format {document['version']} by {document['app-version']}"
    )


def _minimal(document: Json | None) -> str:
    if document is None:
        return "cannot be made"
    return document["problem"]["message"] if document["problem"] else "can be made"


def _features(document: Json) -> Iterator[str]:
    for name, value in document.items():
        if value:
            yield f"{name} ({len(value)})" if isinstance(value, dict) else name
