"""The root file system of a live system: squashfs or erofs, streamed from the entries of the tree.

The programs could write it to its place in the rootfs image; mkfs.erofs then puts some files' data elsewhere
than it says (seen with 1.8.6).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import NAMESPACE_URL, UUID, uuid5

from bootimg import process
from bootimg.atomic import no_space
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.fsheader import read_header
from bootimg.live.fsoptions import FsType, RootfsOptions
from bootimg.live.programs import require_maker
from bootimg.live.treetar import tree_tar
from bootimg.sysroot.entries import Entry

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:bootimg:live-root")
# Squashfs has no others; sqfstar passes over them.
_PREFIXES = (b"user.", b"trusted.", b"security.")


def write_filesystem(
    entries: Sequence[Entry], image: Path, options: RootfsOptions, *, identity: str, epoch: int
) -> None:
    """Write the file system of the entries to a scratch file.

    The same arguments give the same bytes; `identity` (the layer's digest) makes the UUID, `epoch` is the
    time in seconds at which the file system is said to be made.  Raises `live-program-too-old`,
    `live-attribute-unsupported`, `live-rootfs-damaged`, `no-space-left`, `program-failed`.
    """
    program = require_maker(options.fstype)
    image.unlink(missing_ok=True)
    # mkfs.erofs keeps there what it reads until it knows where it goes.
    with TemporaryDirectory(dir=image.parent, prefix=f".{image.name}.") as folder:
        if options.fstype is FsType.SQUASHFS:
            _require_attributes(entries)
            words = [*_squashfs_words(options, entries[0], Path(folder), epoch), image]
        else:
            words = [*_erofs_words(options, uuid5(_NAMESPACE, identity), epoch), image]
        # The mode of an inode without a name depends on the umask (mkfs.erofs 1.9.4).
        done = process.feed([program, *words], tree_tar(entries), env={"TMPDIR": folder}, umask=0o022)
    if done.returncode:
        raise no_space(image) if b"No space left" in done.stderr else process.failure(done)
    _check(image, options.fstype, entries)


def _squashfs_words(
    options: RootfsOptions, root: Entry, folder: Path, epoch: int
) -> Iterator[process.Argument]:
    yield from ("-quiet", "-no-progress", "-exit-on-error")
    yield from options.words
    # sqfstar passes over the archive's root directory.
    seconds = str(root.mtime // 10**9)
    yield from ("-mkfs-time", str(epoch), "-root-time", seconds, "-root-mode", f"{root.mode:o}")
    yield from ("-root-uid", str(root.uid), "-root-gid", str(root.gid))
    if root.xattrs:
        attributes = folder / "root"
        attributes.write_text("".join(_pseudo(name, value) for name, value in root.xattrs))
        yield from ("-pf", attributes)


def _pseudo(name: bytes, value: bytes) -> str:
    """The line of a pseudo file that gives the root directory an attribute."""
    return f"/ x {name.decode()}=0s{base64.b64encode(value).decode()}\n"


def _erofs_words(options: RootfsOptions, uuid: UUID, epoch: int) -> Iterator[str]:
    yield from ("--quiet", "--tar=f", "-U", str(uuid), f"-T{epoch}", "--mkfs-time", *options.words)


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
