"""The root file system of a live system: squashfs or erofs, streamed from the entries of the tree.

The programs could write it to its place in the rootfs image; mkfs.erofs then puts some files' data elsewhere
than it says (seen with 1.8.6).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.fsheader import read_header
from bootimg.live.fsoptions import FsType, RootfsOptions
from bootimg.live.programs.program import Command, Program, ThisMachines
from bootimg.live.treetar import tree_tar
from bootimg.sysroot.entries import Entry

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:bootimg:live-root")
# What waits for a compressor or for the disk: by default it grows to a quarter of the machine's memory.
_MEMORY = "128M"
# Squashfs has no others; sqfstar passes over them.
_PREFIXES = (b"user.", b"trusted.", b"security.")


def write_filesystem(
    entries: Sequence[Entry],
    image: Path,
    options: RootfsOptions,
    *,
    identity: str,
    epoch: int,
    program: Program | None = None,
) -> None:
    """Write the file system of the entries to a scratch file, with a program of this machine by default.

    The same arguments and the same version of the program give the same bytes; `identity` (the layer's
    digest) makes the UUID, `epoch` is the time in seconds at which the file system is said to be made.
    Raises `live-attribute-unsupported`, `live-rootfs-damaged`, and the program's errors.
    """
    image.unlink(missing_ok=True)
    if options.fstype is FsType.SQUASHFS:
        _require_attributes(entries)
        command = _squashfs(options, entries[0], epoch)
    else:
        command = _erofs(options, uuid5(_NAMESPACE, identity), epoch)
    (program or ThisMachines()).write(command, tree_tar(entries), image)
    _check(image, options.fstype, entries)


def _squashfs(options: RootfsOptions, root: Entry, epoch: int) -> Command:
    # sqfstar passes over the archive's root directory.
    seconds = str(root.mtime // 10**9)
    words = (
        *("-quiet", "-no-progress", "-exit-on-error", "-mem", _MEMORY),
        *options.words,
        *("-mkfs-time", str(epoch), "-root-time", seconds, "-root-mode", f"{root.mode:o}"),
        *("-root-uid", str(root.uid), "-root-gid", str(root.gid)),
    )
    pseudo = "".join(_pseudo(name, value) for name, value in root.xattrs)
    return Command(FsType.SQUASHFS, words, pseudo)


def _pseudo(name: bytes, value: bytes) -> str:
    """The line of a pseudo file that gives the root directory an attribute."""
    return f"/ x {name.decode()}=0s{base64.b64encode(value).decode()}\n"


def _erofs(options: RootfsOptions, uuid: UUID, epoch: int) -> Command:
    words = ("--quiet", "--tar=f", "-U", str(uuid), f"-T{epoch}", "--mkfs-time", *options.words)
    return Command(FsType.EROFS, words)


def _require_attributes(entries: Iterable[Entry]) -> None:
    for entry in entries:
        for name, _ in entry.xattrs:
            if not name.startswith(_PREFIXES):
                raise BootimgError(
                    "live-attribute-unsupported",
                    f"squashfs cannot keep the attribute {name.decode(errors='replace')}",
                    context=[f"/{os.fsdecode(entry.path)}"],
                    hint="remove it where the layer is made, or set live-rootfs-fstype to erofs",
                    exit_code=ExitCode.USAGE,
                )


def _check(image: Path, fstype: FsType, entries: Iterable[Entry]) -> None:
    """Refuse what is not the file system asked for, or has another number of inodes than the tree."""
    with image.open("rb") as file:
        found = read_header(file, 0)
    inodes = len({entry.link or entry.path for entry in entries})
    if found.fstype is not fstype or found.inodes not in (inodes, inodes + found.extra_inodes):
        raise BootimgError(
            "live-rootfs-damaged",
            f"the live root file system has {found.inodes} inodes, not {inodes}",
            context=[str(image)],
            hint="build it again; if it stays, report it with the version of the program that made it",
        )
