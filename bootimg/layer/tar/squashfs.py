"""Squashfs images made from a tar stream: nothing is unpacked, and no privileges are needed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bootimg import process
from bootimg.atomic import no_space, sync
from bootimg.errors import BootimgError

PACKAGES = "squashfs-tools 4.5 or newer (apt, dnf)"

WHOLE_FILES = ("-no-fragments", "-no-duplicates")
"""Options that give every file its own blocks.

squashfs-tools 4.5.1 packs the ends of files into shared blocks in threads that race: in two of three runs a
few files in ten thousand ended with another file's bytes.
"""


def write_squashfs(tar: Iterable[bytes], output: Path) -> None:
    """Write the squashfs image of a tar, completely or not at all; `no-space-left` if it does not fit.

    It is not compressed, because it is read only once, perhaps by a virtual machine without KVM.  sqfstar
    ignores the tar's root directory entry; the image's root has mode 0755 and belongs to root.
    """
    program = process.require("sqfstar", packages=PACKAGES)
    partial = output.with_name(f".{output.name}.partial")
    partial.unlink(missing_ok=True)
    argv: list[process.Argument] = [program, "-quiet", "-no-progress", "-noI", "-noD", "-noF", "-noX",
                                    *WHOLE_FILES, "-mkfs-time", "0", "-root-mode", "755", "-root-uid", "0",
                                    "-root-gid", "0", "-root-time", "0", partial]  # fmt: skip
    done = process.feed(argv, tar)
    if done.returncode:
        raise _failure(done, partial)
    partial.chmod(0o444)
    sync(partial)
    partial.replace(output)


def _failure(done: process.Completed, partial: Path) -> BootimgError:
    # The error reports the free space, so make it before the partial file is deleted.
    error = no_space(partial) if b"No space left" in done.stderr else process.failure(done)
    partial.unlink(missing_ok=True)
    return error
