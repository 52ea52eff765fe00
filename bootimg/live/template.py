"""The template of an ISO's tree in the layer: boot menus with a place for kernel arguments.

Source: the live stage of osbuild.  In a template, `@@KERNEL-ARGS@@` stands for the arguments.  An embed area
begins there and ends with the `#` characters before the line `# COREOS_KARG_EMBED_AREA`: coreos-installer
edits the arguments in it.  All areas of an ISO have the same content and size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import KernelArgument
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.live.iso.infofiles import KARGS_END, KARGS_PAD, LARGEST_KARGS
from bootimg.printable import shown
from bootimg.sizes import MIB

PATH = "usr/share/coreos-assembler/live"
PLACEHOLDER = b"@@KERNEL-ARGS@@"
_AREA_END = re.compile(rb"(#+)# COREOS_KARG_EMBED_AREA\n")
_SKIPPED = "README-devel.md"
# The live system's own files are there.
_RESERVED = ("coreos", "images")
_MOST, _LARGEST = 1000, 8 * MIB


@dataclass(frozen=True, slots=True)
class KargsAreas:
    """The embed areas of an ISO: `offsets` by the path of their file, `size` in bytes, their content.

    `default` is the arguments of all of them, without white space around.  `end` follows the arguments, and
    `pad` fills the rest of the area.
    """

    offsets: Mapping[str, int]
    size: int
    default: str
    end: str = KARGS_END
    pad: str = KARGS_PAD

    def json(self) -> bytes:
        """The file coreos/kargs.json of the ISO."""
        files = [
            {"end": self.end, "offset": offset, "pad": self.pad, "path": path}
            for path, offset in sorted(self.offsets.items())
        ]
        table = {"default": self.default, "files": files, "size": self.size}
        return json.dumps(table, indent=2, sort_keys=True).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class IsoTree:
    """The files of the template by path, with the arguments in place, and where the areas are."""

    files: Mapping[str, bytes]
    kargs: KargsAreas


def iso_tree(
    templates: Mapping[str, bytes], arguments: Sequence[KernelArgument], vendor: str | None
) -> IsoTree:
    """The files of `read_template` with the arguments, for an ISO with boot menus.

    `vendor` is the folder of the layer's EFI programs: the folder of EFI/*/grub.cfg takes its name.  It is
    None for an architecture that has no UEFI.  Raises `live-template-invalid`, `live-arguments-too-long`.
    """
    line = " ".join(arguments).encode()
    own = _vendor_folder(templates) if vendor is not None else None
    files: dict[str, bytes] = {}
    areas: dict[str, tuple[int, bytes, int]] = {}
    for path, data in templates.items():
        name = f"EFI/{vendor}/{path.removeprefix(own)}" if own and path.startswith(own) else path
        if name in files:
            raise invalid_template(path, f"another file becomes {name} too")
        files[name] = data.replace(PLACEHOLDER, line)
        if PLACEHOLDER in data and (area := _area(path, data.index(PLACEHOLDER), files[name])) is not None:
            areas[name] = area
    return IsoTree(files, _kargs(areas))


def read_template(tree: Tree) -> Mapping[str, bytes]:
    """The files of the layer's template by path; their number and sum have limits.

    Raises `live-template-missing`, `live-template-invalid`.
    """
    if not has_template(tree):
        raise missing_template()
    found: dict[str, bytes] = {}
    left = _LARGEST
    for entry in tree.walk(PATH):
        path = entry.path.removeprefix(f"{PATH}/")
        if entry.kind is Kind.DIRECTORY or PurePosixPath(path).name == _SKIPPED:
            continue
        if entry.kind is not Kind.FILE:
            raise invalid_template(path, f"it is a {entry.kind}")
        if PurePosixPath(path).parts[0].lower() in _RESERVED:
            raise invalid_template(path, "the folder is for the live system's own files")
        left -= entry.size
        if left < 0 or len(found) == _MOST:
            raise invalid_template(path, f"the template has more than {_MOST} files or {_LARGEST} bytes")
        found[path] = b"".join(tree.chunks(entry))
    return found


def has_template(tree: Tree) -> bool:
    """Whether a layer has boot menus for an ISO, as CoreOS's layers do."""
    folder = tree.entries.get(PATH)
    return folder is not None and folder.kind is Kind.DIRECTORY


def missing_template() -> BootimgError:
    """The error for a layer without them."""
    return BootimgError(
        "live-template-missing",
        "the layer has no template for an ISO",
        context=[f"there is no directory /{PATH}"],
        hint="put the boot menus there where the layer is made, as CoreOS's layers do, or leave `live` out",
        exit_code=ExitCode.USAGE,
    )


def _vendor_folder(paths: Iterable[str]) -> str:
    """The folder of the one EFI/*/grub.cfg, with a slash at its end: on the ISO it has the vendor's name."""
    found = [path for path in paths if PurePosixPath(path).match("EFI/*/grub.cfg") and path.count("/") == 2]
    if len(found) != 1:
        raise invalid_template("EFI", f"it has {len(found)} files EFI/*/grub.cfg, not one")
    return found[0].removesuffix("grub.cfg")


def _area(path: str, start: int, data: bytes) -> tuple[int, bytes, int] | None:
    """Start, arguments and size of a file's embed area; None if it has none."""
    end = _AREA_END.search(data)
    if end is None:
        return None
    if end.start() < start:
        raise invalid_template(path, "the embed area ends before the kernel arguments")
    return start, data[start : end.start()], end.end(1) - start


def _kargs(areas: Mapping[str, tuple[int, bytes, int]]) -> KargsAreas:
    if not areas:
        raise invalid_template(PATH, "no file has kernel arguments in an embed area")
    contents = {(content, size) for _, content, size in areas.values()}
    if len(contents) != 1:
        raise invalid_template(", ".join(areas), "the embed areas have different arguments or sizes")
    content, size = contents.pop()
    _require_size(size, content)
    if not content.isascii():
        raise invalid_template(", ".join(areas), "the arguments in the embed area are not ASCII")
    return KargsAreas({path: start for path, (start, _, _) in areas.items()}, size, content.decode().strip())


def _require_size(size: int, content: bytes) -> None:
    if size > LARGEST_KARGS:
        raise BootimgError(
            "live-arguments-too-long",
            f"the area for kernel arguments has {size} bytes; coreos-installer edits at most {LARGEST_KARGS}",
            context=[f"the arguments have {len(content)} bytes"],
            hint="remove arguments from extra-kargs or kargs.d of the layer, or shorten the template's area",
            exit_code=ExitCode.USAGE,
        )


def invalid_template(path: str, what: str) -> BootimgError:
    """The error for a file of the template that cannot be used."""
    return BootimgError(
        "live-template-invalid",
        f"the layer's template for an ISO cannot be used: {what}",
        context=[f"/{PATH}: {shown(path)}"],
        hint="correct it where the layer is made; docs/layer-configuration.md says what belongs there",
        exit_code=ExitCode.USAGE,
    )
