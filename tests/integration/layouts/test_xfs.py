"""Large trees in an XFS that we filled; as root also what the kernel does with it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.disk.filetree import Node
from bootimg.disk.xfs import fill_xfs
from bootimg.errors import BootimgError
from bootimg.sizes import GIB
from tests.integration.layouts.test_xfs_fill import digest, files, fits
from tests.integration.layouts.test_xfs_random import UNHURRIED
from tests.support.xfs import xfstrees
from tests.support.xfs.xfsimages import NOW, SMALL, empty_image, fill_and_check, judge
from tests.support.xfs.xfsmount import compare_mounted, mounted
from tests.support.xfs.xfsrandom import HUGE, trees
from tests.support.xfs.xfstrees import folder
from tests.support.xfs.xfswrite import write_and_grow

pytestmark = pytest.mark.matrix

LARGE: dict[str, Callable[[], Iterator[Node]]] = {
    "every size of directory": lambda: xfstrees.directories((1, 7, 8, 15, 67, 200, 255)),
    "every size of attributes": xfstrees.attributes,
    "many extents": lambda: xfstrees.extents((1, 2, 9, 10, 11, 18, 22, 100, 251, 252, 253, 1000, 2762, 5000)),
    "a directory of 50 000 names": lambda: xfstrees.wide(50_000),
    "a directory of 300 000 names": lambda: xfstrees.wide(300_000),
    "a directory of 30 000 long names": lambda: xfstrees.wide(30_000, 250),
    "200 000 inodes": lambda: xfstrees.many_inodes(200_000),
    "names of one hash": xfstrees.collisions,
    "shared extents": xfstrees.shared,
    "symbolic links": xfstrees.symlinks,
    "odd names": xfstrees.odd_names,
    "20 000 pieces of one file": lambda: iter([xfstrees.ROOT, xfstrees.sparse(b"pieces", 20_000)]),
}


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "root.xfs"
    (tmp_path / "root.xfs").unlink(missing_ok=True)


@pytest.mark.parametrize("name", LARGE)
def test_what_is_read_is_what_was_put_in(name: str, image: Path, judges: list[Path]) -> None:
    fill_and_check(empty_image(image, 3 * GIB), LARGE[name](), judges)


@pytest.mark.parametrize(
    ("size", "groups", "sector"), ((GIB, 2, 512), (10 * GIB, 7, 4096), (2 << 40, 16, 512))
)
def test_other_geometries(size: int, groups: int, sector: int, image: Path, judges: list[Path]) -> None:
    empty_image(image, size, groups=groups, sector=sector)
    fill_and_check(image, xfstrees.attributes(every=3), judges)


@given(nodes=trees(most=120))
@settings(max_examples=150, deadline=None, suppress_health_check=UNHURRIED, database=None)
def test_random_trees(nodes: list[Node], tmp_path: Path, judges: list[Path]) -> None:
    fill_and_check(empty_image(tmp_path / "root.xfs"), nodes, judges)


@given(nodes=trees(most=6, counts=HUGE))
@settings(max_examples=6, deadline=None, suppress_health_check=UNHURRIED, database=None)
def test_random_trees_with_large_directories(nodes: list[Node], tmp_path: Path, judges: list[Path]) -> None:
    fill_and_check(empty_image(tmp_path / "root.xfs", GIB), nodes, judges)


@cache
def most_blocks() -> int:
    """How many blocks of content fit into a small file system, in steps of 64."""
    with TemporaryDirectory() as scratch:
        image = empty_image(Path(scratch) / "root.xfs")
        return next(blocks for blocks in range(SMALL // 4096, 0, -64) if fits(image, files(blocks)))


@given(nodes=trees(most=60), left=st.integers(0, 3000))
@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED, database=None)
def test_random_trees_on_a_nearly_full_disk(
    nodes: list[Node], left: int, tmp_path: Path, judges: list[Path]
) -> None:
    """They fit and are whole, or they are refused and nothing is written."""
    image = empty_image(tmp_path / "root.xfs")
    top = b"filled before"
    filler = [replace(each, path=top + b"/" + each.path) for each in files(most_blocks() - left) if each.path]
    nodes = [*nodes, folder(top), *filler]
    if fits(image, nodes):
        fill_and_check(image, nodes, judges)
        return
    before = digest(image)
    with pytest.raises(BootimgError) as caught:
        fill_xfs(image, nodes, now=NOW)
    assert caught.value.id == "disk-too-small"
    assert digest(image) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("name", ("every size of attributes", "many extents", "shared extents", "odd names"))
def test_the_kernel_reads_writes_and_grows_it(name: str, image: Path, judges: list[Path]) -> None:
    nodes = list(LARGE[name]())
    fill_xfs(empty_image(image, 3 * GIB), nodes, now=NOW)
    with mounted(image, "ro") as top:
        compare_mounted(top, nodes)
    write_and_grow(image, judges)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_the_kernel_s_online_scrub_finds_nothing(image: Path) -> None:
    fill_xfs(empty_image(image), xfstrees.attributes(every=3), now=NOW)
    with mounted(image) as top:
        done = subprocess.run(["xfs_scrub", "-n", top], capture_output=True, text=True, check=False)
    if "scrubbing facility is not available" in done.stderr:
        pytest.skip("this kernel was built without XFS_ONLINE_SCRUB")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_full_file_system_still_takes_files(image: Path, judges: list[Path]) -> None:
    fill_xfs(empty_image(image), files(most_blocks()), now=NOW)
    with mounted(image) as top:
        for each in range(100):
            (top / f"new{each}").write_bytes(b"n" * 4096)
    judge(image, judges)
