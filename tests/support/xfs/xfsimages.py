"""Small XFS images for tests: made empty once for each geometry, then copied and filled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.disk.filetree import Node
from bootimg.disk.xfs import Filled, XfsOptions, check_xfs, fill_xfs, make_xfs
from bootimg.sizes import MIB
from tests.support.xfs.xfsread import expected, read_back

NOW = 1_700_000_000 * 10**9
UUID = "5a8e3b9c-0e1d-4b2f-9c3d-aabbccddeeff"
SMALL = 320 * MIB
_FOLDER = TemporaryDirectory(prefix="xfs-")


@cache
def _empty(size: int, groups: int, sector: int) -> bytes:
    """The name of a sparse file with an empty file system, removed at the end of the process."""
    path = Path(_FOLDER.name) / f"{size}-{groups}-{sector}"
    path.touch()
    os.truncate(path, size)
    make_xfs(path, size=size, options=XfsOptions(uuid=UUID, sector_size=sector, group_count=groups))
    return os.fsencode(path)


def empty_image(path: Path, size: int = SMALL, *, groups: int = 4, sector: int = 512) -> Path:
    """A new image with an empty file system."""
    path.unlink(missing_ok=True)
    source = Path(os.fsdecode(_empty(size, groups, sector)))
    with source.open("rb") as data, path.open("wb") as target:
        target.truncate(size)
        at = 0
        while True:
            try:
                at = os.lseek(data.fileno(), at, os.SEEK_DATA)
            except OSError:
                return path
            end = os.lseek(data.fileno(), at, os.SEEK_HOLE)
            os.pwrite(target.fileno(), os.pread(data.fileno(), end - at, at), at)
            at = end


def fill_and_check(path: Path, nodes: Iterable[Node], judges: Iterable[Path] = ()) -> Filled:
    """Fill an empty file system, have it judged by xfs_repair, and compare what is read with the nodes.

    `judges` are other versions of xfs_repair that judge too.
    """
    nodes = list(nodes)
    filled = fill_xfs(path, nodes, now=NOW)
    judge(path, judges)
    compare(path, nodes)
    return filled


def judge(image: Path, judges: Iterable[Path] = ()) -> None:
    """Have a whole image judged by this machine's xfs_repair and by others."""
    check_xfs(image, size=image.stat().st_size)
    for program in judges:
        done = subprocess.run([program, "-n", "-f", image], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def compare(path: Path, nodes: Iterable[Node]) -> None:
    """Compare what is in the file system with the nodes."""
    wanted, found = expected(nodes), read_back(path)
    assert found.keys() == wanted.keys()
    different = [(wanted[name], found[name]) for name in wanted if wanted[name] != found[name]]
    assert not different[:3]
