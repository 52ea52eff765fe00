"""Makes the minimal ISO of a live ISO, with the kernel arguments that it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from bootimg.atomic import whole_file
from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import KernelArgument, split
from bootimg.live.embed.areas import KARGS
from bootimg.live.embed.coreosiso import Change, CoreosIso
from bootimg.live.embed.edit import require_absent
from bootimg.live.embed.places import invalid_area
from bootimg.live.embed.pxe import copy_file
from bootimg.live.iso.liveiso import ROOTFS
from bootimg.live.miniso.find import find_miniso
from bootimg.live.miniso.source import MinimalIso
from bootimg.sizes import MIB
from bootimg.untrusted.jsonfile import parse_object

_KEYS, _FILE_KEYS = ("default", "files", "size"), ("path", "offset", "pad", "end")
_LIVE_ISO, _ROOTFS = "coreos.liveiso=", "coreos.live.rootfs_url="


def minimal_iso(iso: CoreosIso, rootfs_url: str | None = None) -> Composite:
    """The minimal ISO of a live ISO without changes, to be read.

    `coreos.liveiso=` is removed from the kernel arguments and from their default, because the ISO has no
    rootfs; `coreos.live.rootfs_url=` is added for `rootfs_url`.  Without it the user must add it.
    Errors: `iso-customized`, `iso-minimal-unsupported`, `miniso-damaged`, `miniso-iso-differs`,
    `kernel-argument-invalid`, `iso-area-invalid`.
    """
    if iso.files or (iso.kargs_places and iso.kargs != iso.default_kargs):
        raise BootimgError(
            "iso-customized",
            "the ISO was changed, and a minimal ISO can be made only of the original",
            hint="undo the changes in a copy with `bootimg iso reset -o`; change the minimal ISO afterwards",
            exit_code=ExitCode.USAGE,
        )
    budget = iso.image.budget
    minimal = MinimalIso(iso.image.source, find_miniso(iso.image), budget)
    minimal.verify()
    changes = _changes(CoreosIso(minimal, budget), rootfs_url)
    return Composite(minimal, Patch(tuple((each.offset, each.data) for each in changes)))


def extract_minimal(
    iso: CoreosIso, output: Path, rootfs_url: str | None = None, rootfs: Path | None = None
) -> None:
    """Write the minimal ISO, and the rootfs if it has a path, to new files.

    The errors are those of `minimal_iso`, and `output-exists` before anything is written.
    """
    require_absent([output, *([rootfs] if rootfs else [])])
    minimal = minimal_iso(iso, rootfs_url)
    if rootfs is not None:
        record = iso.image.find(ROOTFS)
        if record is None or record.folder:
            raise invalid_area(f"there is no /{ROOTFS}")
        copy_file(iso.image, record, rootfs)
    with whole_file(output, need=minimal.size) as file:
        write_minimal(minimal, file)


def write_minimal(minimal: Composite, file: BinaryIO) -> None:
    """Write the minimal ISO to a stream."""
    for at in range(0, minimal.size, MIB):
        file.write(minimal.read(at, min(MIB, minimal.size - at)))


def _changes(iso: CoreosIso, rootfs_url: str | None) -> list[Change]:
    added = [KernelArgument.parse(_ROOTFS + rootfs_url, "the rootfs's URL")] if rootfs_url else []
    words = split(iso.kargs)
    kept = [word for word in words if not word.startswith(_LIVE_ISO)]
    if len(kept) == len(words):
        raise invalid_area(f"the kernel arguments have no {_LIVE_ISO}")
    return [*iso.with_kargs(" ".join([*kept, *added])), _default(iso, " ".join(kept))]


def _default(iso: CoreosIso, text: str) -> Change:
    """kargs.json with another default, so that a reset does not bring the removed argument back.

    Its keys have coreos-installer's order, so that both extract the same bytes.
    """
    record = iso.image.find(KARGS)
    if record is None:
        raise invalid_area(f"there is no /{KARGS}")
    found = parse_object(iso.image.read(record.offset, record.length), invalid_area).values
    table = _ordered({**found, "default": text}, _KEYS)
    table["files"] = [_ordered(each, _FILE_KEYS) for each in table["files"]]
    data = json.dumps(table, indent=2, ensure_ascii=False).encode()
    if len(data) > record.length:
        raise invalid_area(f"/{KARGS} has no room for another default")
    return Change(record.offset, data.ljust(record.length))


def _ordered(table: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The table with these keys first, and all others after them."""
    return {key: table[key] for key in (*keys, *table) if key in table}
