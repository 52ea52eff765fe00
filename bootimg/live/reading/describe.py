"""Live media as documents for `bootimg iso show` and `bootimg inspect`; sizes and offsets are in bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.live.bootways.openfirmware import started_by
from bootimg.live.embed.areas import features
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.iso.hybridread import read_mbr
from bootimg.live.iso.infofiles import MINISO
from bootimg.live.iso.liveiso import INITRD, ROOTFS
from bootimg.live.miniso.find import find_miniso
from bootimg.live.reading.initramfs import read_initramfs
from bootimg.live.reading.isoparts import arch_of, part_of
from bootimg.live.reading.region import Region
from bootimg.live.reading.rootfs import read_rootfs
from bootimg.untrusted.budget import Budget

Json = dict[str, Any]


def describe_iso(path: Path, budget: Budget | None = None) -> Json:
    """The whole ISO.

    `features` is null without features.json.  `initramfs`, `rootfs` and `minimal-iso` are null if the ISO
    does not have them; if one cannot be read, its `problem` is the error.  Raises `iso-unreadable`,
    `iso-not-coreos`, `iso-area-invalid`, `image-over-budget`.
    """
    budget = budget or Budget()
    with FileSource(path) as source:
        iso = CoreosIso(source, budget)
        initramfs, rootfs = part_of(iso.image, INITRD), part_of(iso.image, ROOTFS)
        return {
            "kind": "iso",
            "path": str(path),
            **describe_areas(iso),
            "boots-as-disk": read_mbr(source) is not None,
            "features": features(iso.image),
            "initramfs": describe_initramfs(initramfs, budget) if initramfs else None,
            "rootfs": describe_rootfs(rootfs, budget) if rootfs else None,
            "minimal-iso": _minimal(iso),
        }


def describe_areas(iso: CoreosIso) -> Json:
    """What the ISO boots, its areas and what is in them; raises `iso-unreadable` and `iso-area-invalid`."""
    kargs, arch = iso.kargs_places, arch_of(iso.image)
    return {
        "arch": None if arch is None else str(arch),
        "volume-id": iso.image.volume.id,
        "size": iso.image.source.size,
        "boot": [
            {"platform": each.platform, "offset": each.offset, "blocks": each.blocks}
            for each in iso.image.boot_entries()
        ],
        "boot-script": started_by(iso.image),
        "ignition-area": {"offset": iso.initrd_area.offset, "length": iso.initrd_area.length},
        "embedded": sorted(iso.files),
        "network-supported": iso.has_network,
        "kargs-areas": [
            {"offset": each.area.offset, "length": each.area.length}
            for each in (kargs.places if kargs else ())
        ],
        "kargs": iso.kargs if kargs else None,
        "kargs-default": iso.default_kargs if kargs else None,
    }


def describe_initramfs(region: Region, budget: Budget) -> Json:
    """The initramfs of live media; `rootfs-checksums` says whether it can check a rootfs image."""
    return _or_problem(region.length, lambda: _initramfs(region, budget))


def describe_rootfs(region: Region, budget: Budget) -> Json:
    """The rootfs image of live media."""
    return _or_problem(region.length, lambda: _rootfs(region, budget))


def _initramfs(region: Region, budget: Budget) -> Json:
    found = read_initramfs(region, budget)
    return {"version": found.version, "rootfs-checksums": found.want_rootfs is not None}


def _rootfs(region: Region, budget: Budget) -> Json:
    found = read_rootfs(region, budget)
    filesystem = found.filesystem
    return {
        "version": found.version,
        "filesystem": {
            "type": str(filesystem.fstype),
            "size": filesystem.size,
            "inodes": filesystem.inodes,
            "compressors": list(filesystem.compressors),
        },
        "osmet": [each.as_dict() for each in found.osmets],
    }


def _minimal(iso: CoreosIso) -> Json | None:
    region = part_of(iso.image, MINISO)
    if region is None:
        return None
    try:
        found = find_miniso(iso.image)
    except BootimgError as error:
        _raise_over_budget(error)
        return None if error.id == "iso-minimal-unsupported" else {"problem": error.as_dict()}
    return {
        "app-version": found.app_version,
        "sha256": found.digest.hex(),
        "packed": len(found.packed),
        "problem": None,
    }


def _or_problem(size: int, read: Callable[[], Json]) -> Json:
    try:
        return {"size": size, **read(), "problem": None}
    except BootimgError as error:
        _raise_over_budget(error)
        return {"size": size, "problem": error.as_dict()}


def _raise_over_budget(error: BootimgError) -> None:
    """Nothing more of an image is read that is beyond its budget."""
    if error.id == "image-over-budget":
        raise error
