"""An empty XFS by mkfs.xfs, with a pinned set of features."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from bootimg.disk.xfs.errors import unsupported_feature
from bootimg.disk.xfs.sparse import copy_data

_LOG = 64 << 20
_METADATA = "crc=1,finobt=1,reflink=1,rmapbt=0,bigtime=1,inobtcount=1"
# Features that newer versions switch on by themselves: (option, switch, what the usage text calls it).
_NEWER = (
    ("-i", "nrext64=0", b"nrext64="),
    ("-i", "exchange=0", b"exchange="),
    ("-n", "parent=0", b"parent="),
    ("-m", "metadir=0", b"metadir="),
    ("-m", "autofsck=0", b"autofsck="),
)
_FIXED = {"SOURCE_DATE_EPOCH": "0", "DETERMINISTIC_SEED": "1"}
"""The clock and the random numbers of newer versions."""
_PACKAGE = "xfsprogs"


@dataclass(frozen=True, slots=True, kw_only=True)
class XfsOptions:
    """What an empty file system is made with; the number of groups never depends on this machine."""

    uuid: str
    label: str | None = None
    sector_size: int = 512
    group_count: int = 4


def make_xfs(image: Path, *, size: int, options: XfsOptions, offset: int = 0) -> None:
    """Make an empty XFS of `size` bytes at `offset` of an existing image, which has only zeros there.

    mkfs.xfs works on a sparse file beside the image; what it wrote is then copied.
    `xfs-feature-unsupported` where this machine's mkfs.xfs does not know the features.
    """
    with tempfile.NamedTemporaryFile(dir=image.parent, prefix=f".{image.name}.") as scratch:
        scratch.truncate(size)
        _mkfs(Path(scratch.name), options)
        with image.open("r+b", buffering=0) as target:
            copy_data(scratch.fileno(), target.fileno(), (0, size), offset)


def _mkfs(path: Path, options: XfsOptions) -> None:
    program = process.require("mkfs.xfs", packages=_PACKAGE)
    label = ["-L", options.label] if options.label else []
    argv: list[process.Argument] = [program, "-q", *_switches(program, options), *label, path]
    done = process.run(argv, check=False, timeout=120, env=_FIXED)
    if done.returncode and b"unknown option" in done.stderr:
        raise unsupported_feature("this machine's mkfs.xfs is too old")
    if done.returncode:
        raise process.failure(done)


def _switches(program: Path, options: XfsOptions) -> list[str]:
    """Options that pin what mkfs.xfs would decide by its version, the device or the number of CPUs."""
    usage = process.run([program, "-?"], check=False, timeout=60).stderr
    values = {
        "-m": [_METADATA, f"uuid={options.uuid}"],
        "-i": ["size=512,sparse=1"],
        "-d": [f"agcount={options.group_count}"],
        "-l": [f"size={_LOG}"],
        "-b": ["size=4096"],
        "-s": [f"size={options.sector_size}"],
        "-n": ["ftype=1"],
    }
    for option, switch, name in _NEWER:
        if name in usage:
            values[option].append(switch)
    return [word for option, words in values.items() for word in (option, ",".join(words))]
