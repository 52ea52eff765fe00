"""xfs_repair as the judge of a file system."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bootimg import process
from bootimg.disk.xfs.sparse import copy_data
from bootimg.errors import BootimgError

_NO_COMPLAINT = (
    "Phase ",
    "        - ",
    "No modify flag set",
    "Cannot get host filesystem geometry",
    "Repair may fail if there is a sector size mismatch",
    "the image and the host filesystem",
    "Memory available for repair",
    "At least ",
    "If repair fails due to lack of memory",
    "increase system RAM",
)
"""How the lines begin that xfs_repair writes about a sound file system in a file."""
_GAVE_UP = "fatal error -- "
"""How xfs_repair's last line begins where it could not go on, for instance without memory."""


def check_xfs(
    image: Path, *, size: int, offset: int = 0, metadata: Sequence[tuple[int, int]] | None = None
) -> None:
    """Have xfs_repair judge an XFS of `size` bytes in an image; `xfs-check-failed` if it complains.

    `program-killed` and `program-failed` say that it came to no judgement.

    xfs_repair needs a file of its own, and reads metadata only: unless the file system fills the image,
    the ranges `metadata` (see `Filled`), or everything, are copied to a sparse file beside the image.
    """
    if offset == 0 and image.stat().st_size == size:
        _repair(image)
        return
    with tempfile.NamedTemporaryFile(dir=image.parent, prefix=f".{image.name}.") as scratch:
        scratch.truncate(size)
        with image.open("rb", buffering=0) as source:
            for start, length in metadata or ((0, size),):
                copy_data(source.fileno(), scratch.fileno(), (offset + start, length), -offset)
        _repair(Path(scratch.name))


def _repair(path: Path) -> None:
    program = process.require("xfs_repair", packages="xfsprogs")
    # Without prefetching (-P): where its threads get no memory, xfs_repair waits for them forever, and a
    # thread that cannot be started counts as a fault of the file system.
    done = process.run([program, "-n", "-P", "-f", path], check=False, timeout=600)
    lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    # It exits with 0 after some complaints, such as a missing reference count.
    complaints = [line for line in lines if line and not line.startswith(_NO_COMPLAINT)]
    gave_up = done.returncode < 0 or any(line.startswith(_GAVE_UP) for line in lines)
    if gave_up or (done.returncode and not complaints):
        raise process.failure(done)
    if complaints:
        raise BootimgError(
            "xfs-check-failed",
            "xfs_repair finds faults in the root file system",
            context=complaints[:8],
            hint="please report it; `--deploy appliance` makes the disk another way",
        )
