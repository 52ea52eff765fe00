"""The errors of the XFS filler."""

from __future__ import annotations

from bootimg.errors import BootimgError


def unsupported_feature(what: str) -> BootimgError:
    """The file system has a feature that the filler does not know; the appliance can fill it."""
    return BootimgError(
        "xfs-feature-unsupported",
        f"bootimg cannot fill this XFS file system itself: {what}",
        hint="fill it in the appliance (`--deploy appliance`)",
    )


def not_fresh(what: str) -> BootimgError:
    """The file system is damaged, or something has written to it since mkfs.xfs."""
    return BootimgError("xfs-not-fresh", f"this is not an XFS file system fresh from mkfs.xfs: {what}")


def unsupported_file(path: bytes, what: str) -> BootimgError:
    """A file that XFS, or the filler, cannot represent."""
    return BootimgError("xfs-file-unsupported", f"XFS cannot hold {_shown(path)}: {what}")


def too_small(blocks: int, room: int) -> BootimgError:
    """The tree needs more blocks than there are; nothing is written yet."""
    return BootimgError(
        "disk-too-small",
        f"the root file system needs {_mib(blocks)} MiB for its files and has room for {_mib(room)} MiB",
        hint="ask for a larger disk with `--size`",
    )


def content_too_short(path: bytes) -> BootimgError:
    """The file that has a node's content ends too early."""
    return BootimgError("xfs-content-short", f"the content of {_shown(path)} ends too early")


def _shown(path: bytes) -> str:
    return repr(path.decode(errors="replace")[-200:])


def _mib(blocks: int) -> int:
    return -(-blocks * 4096 >> 20)
