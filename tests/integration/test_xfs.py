"""Large trees in an XFS that we filled; as root also what the kernel does with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings

from bootimg.disk.filetree import Node
from bootimg.disk.xfs import check_xfs, fill_xfs
from bootimg.sizes import GIB
from tests.integration.test_xfs_random import UNHURRIED
from tests.support import xfstrees
from tests.support.xfsimages import NOW, SMALL, empty_image, fill_and_check
from tests.support.xfsmount import compare_mounted
from tests.support.xfsrandom import trees

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
}


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "root.xfs"
    (tmp_path / "root.xfs").unlink(missing_ok=True)


@pytest.mark.parametrize("name", LARGE)
def test_what_is_read_is_what_was_put_in(name: str, image: Path) -> None:
    fill_and_check(empty_image(image, 3 * GIB), LARGE[name]())


@pytest.mark.parametrize(
    ("size", "groups", "sector"), ((GIB, 2, 512), (10 * GIB, 7, 4096), (2 << 40, 16, 512))
)
def test_other_geometries(size: int, groups: int, sector: int, image: Path) -> None:
    fill_and_check(empty_image(image, size, groups=groups, sector=sector), xfstrees.attributes(every=3))


@given(nodes=trees(most=120))
@settings(max_examples=150, deadline=None, suppress_health_check=UNHURRIED, database=None)
def test_random_trees(nodes: list[Node], tmp_path: Path) -> None:
    fill_and_check(empty_image(tmp_path / "root.xfs"), nodes)


@contextmanager
def mounted(image: Path, *options: str) -> Iterator[Path]:
    folder = image.with_name("mounted")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", ",".join(("loop", *options)), image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


CHURN = """
import os, random, sys
top, random = sys.argv[1], random.Random(9)
os.makedirs(top + "/churn/sub")
names = []
for each in range(20000):
    name = f"{top}/churn/{'sub/' if each % 3 else ''}{each}-{'x' * random.randrange(120)}"
    names.append(name)
    with open(name, "wb") as file:
        file.write(b"c" * random.randrange(9000))
    if each % 10 == 0:
        os.setxattr(name, "user.t", b"t" * random.randrange(3000))
for name in random.sample(names, 10000):
    os.unlink(name)
found = ((folder, name) for folder, _, names in os.walk(top) for name in names)
filled = [os.path.join(*each) for each in found if "/churn" not in each[0]]
for number, path in enumerate(random.sample(filled, min(len(filled), 4000))):
    if os.path.islink(path) or not os.path.isfile(path):
        continue
    try:
        os.setxattr(path, "trusted.new", b"n" * (number % 700))
        if number % 4 == 0:
            os.unlink(path)
        elif number % 4 == 1:
            os.rename(path, path[:-1] + "+")
        elif number % 4 == 2:
            with open(path, "r+b") as file:
                file.seek(0, 2)
                file.write(b"more" * random.randrange(1, 5000))
        else:
            os.truncate(path, os.path.getsize(path) // 2)
    except PermissionError:
        pass
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("name", ("every size of attributes", "many extents", "shared extents", "odd names"))
def test_the_kernel_reads_writes_and_grows_it(name: str, image: Path) -> None:
    nodes = list(LARGE[name]())
    fill_xfs(empty_image(image, 3 * GIB), nodes, now=NOW)
    with mounted(image, "ro") as folder:
        compare_mounted(folder, nodes)
    with mounted(image) as folder:
        subprocess.run([sys.executable, "-c", CHURN, folder], check=True)
    check_xfs(image, size=3 * GIB)
    os.truncate(image, 100 * GIB)
    with mounted(image) as folder:
        subprocess.run(["xfs_growfs", folder], check=True, capture_output=True)
        (folder / "after").write_bytes(b"grown")
    check_xfs(image, size=100 * GIB)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_full_file_system_still_takes_files(image: Path) -> None:
    from tests.integration.test_xfs_fill import files, fits

    empty_image(image)
    count = next(blocks for blocks in range(SMALL // 4096, 0, -64) if fits(image, files(blocks)))
    fill_xfs(image, files(count), now=NOW)
    with mounted(image) as folder:
        for each in range(100):
            (folder / f"new{each}").write_bytes(b"n" * 4096)
    check_xfs(image, size=SMALL)
