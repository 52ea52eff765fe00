"""Trees put into an empty XFS: xfs_repair finds nothing, and an independent reader finds the same tree."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from bootimg import process
from bootimg.disk.filetree import HostRange, Kind, Node
from bootimg.disk.xfs import XfsOptions, check_xfs, fill_xfs, make_xfs
from bootimg.disk.xfs.partition import Partition
from bootimg.disk.xfs.plan import make_plan
from bootimg.disk.xfs.tree import read_tree
from bootimg.disk.xfs.volume import Volume
from bootimg.errors import BootimgError
from bootimg.sizes import GIB, KIB, MIB
from tests.support.xfs import xfstrees
from tests.support.xfs.xfsimages import NOW, SMALL, compare, empty_image, fill_and_check
from tests.support.xfs.xfsread import read_back
from tests.support.xfs.xfstrees import ROOT, file, folder, label, link

TREES: dict[str, Callable[[], Iterator[Node]]] = {
    "directories": lambda: xfstrees.directories((1, 15, 200)),
    "attributes": lambda: xfstrees.attributes(every=4),
    "symlinks": xfstrees.symlinks,
    "extents": lambda: xfstrees.extents((1, 9, 10, 18, 19, 21, 22, 252, 1000)),
    "collisions": xfstrees.collisions,
    "shared": xfstrees.shared,
    "odd names": xfstrees.odd_names,
    "wide": lambda: xfstrees.wide(3000),
    "wide with long names": lambda: xfstrees.wide(2500, 250),
    "inodes of a chunk": lambda: xfstrees.many_inodes(60),
    "one inode more than a chunk": lambda: xfstrees.many_inodes(61),
    "an empty root": lambda: iter([ROOT]),
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "root.xfs"


@pytest.mark.parametrize("name", TREES)
def test_what_is_read_is_what_was_put_in(name: str, image: Path) -> None:
    fill_and_check(empty_image(image), TREES[name]())


def test_sectors_of_4096_bytes(image: Path) -> None:
    fill_and_check(empty_image(image, sector=4096), xfstrees.many_inodes(300))


def test_many_groups_are_equally_full(image: Path) -> None:
    empty_image(image, GIB, groups=8)
    nodes = [ROOT, *(file(b"f%d" % each, bytes([each]) * 3 * MIB) for each in range(100))]
    fill_and_check(image, nodes)
    printed = process.run(["xfs_db", "-r", *_each_group("freeblks", 8), image]).stdout.split()
    free = [int(word) for word in printed if word.isdigit()]
    assert max(free[:-1]) - min(free[:-1]) < 20000, free
    assert min(free) < 31000


def _each_group(field: str, count: int) -> list[str]:
    return [word for number in range(count) for word in ("-c", f"agf {number}", "-c", f"print {field}")]


def test_a_file_larger_than_a_group(image: Path, tmp_path: Path) -> None:
    source = tmp_path / "content"
    with source.open("wb") as data:
        for each in range(150):
            data.write(each.to_bytes(4, "big") * (MIB // 4))
    nodes = [ROOT, file(b"big", HostRange(source), size=150 * MIB)]
    fill_and_check(empty_image(image), nodes)


def test_content_from_within_another_file(image: Path, tmp_path: Path) -> None:
    source = tmp_path / "archive"
    source.write_bytes(os.urandom(700 * KIB))
    pieces = [(512, 10), (1024, 0), (1536, 5000), (7000, 300 * KIB), (400 * KIB + 1, 300 * KIB - 1)]
    nodes = [file(b"%d" % at, HostRange(source, at), size=size) for at, size in pieces]
    fill_and_check(empty_image(image), [ROOT, *nodes])


def test_content_that_ends_too_early(image: Path, tmp_path: Path) -> None:
    source = tmp_path / "short"
    for size in (1000, 200 * KIB):
        source.write_bytes(bytes(size - 1))
        with pytest.raises(BootimgError) as caught:
            nodes = [ROOT, file(b"a", HostRange(source), size=size)]
            fill_xfs(empty_image(image), nodes, now=NOW)
        assert caught.value.id == "xfs-content-short"


def test_content_is_copied_where_the_kernel_knows_no_copy(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    source = tmp_path / "content"
    source.write_bytes(os.urandom(MIB))
    fill_and_check(empty_image(image), [ROOT, file(b"a", HostRange(source), size=MIB)])


def test_shared_extents_are_shared(image: Path) -> None:
    nodes = [ROOT, file(b"a", b"x" * 8 * MIB), file(b"b", None, reflink=b"a")]
    alone = fill_and_check(empty_image(image), nodes[:2])
    both = fill_and_check(empty_image(image), nodes)
    # The second inode may need a chunk of its own; its 2048 blocks of content do not count again.
    assert alone.free_blocks - both.free_blocks in (0, 8)
    map_of = [["-c", f"path /{name}", "-c", "bmap"] for name in "ab"]
    maps = [process.run(["xfs_db", "-r", *words, image]).stdout for words in map_of]
    assert maps[0] == maps[1] != b""


def test_a_change_in_place_does_not_hide_from_the_check(image: Path) -> None:
    fill_xfs(empty_image(image), xfstrees.shared(), now=NOW)
    with image.open("r+b") as data:
        # The root directory's inode.
        data.seek(128 * 512 + 180)
        data.write(b"\xff")
    with pytest.raises(BootimgError) as caught:
        check_xfs(image, size=SMALL)
    assert caught.value.id == "xfs-check-failed"
    assert caught.value.context


def test_a_missing_reference_count_fails_the_check(image: Path) -> None:
    nodes = [ROOT, file(b"a", b"x" * 5000), file(b"b", None, reflink=b"a")]
    fill_xfs(empty_image(image), nodes, now=NOW)
    process.run(["xfs_db", "-x", "-c", "agf 0", "-c", "addr refcntroot", "-c", "write -d numrecs 0", image])
    with pytest.raises(BootimgError) as caught:
        check_xfs(image, size=SMALL)
    assert caught.value.id == "xfs-check-failed"


def xfs_repair(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the check find another xfs_repair: a script in which the real one is `$REAL`."""
    real = process.require("xfs_repair", packages="xfsprogs")
    (folder / "xfs_repair").write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
    (folder / "xfs_repair").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "error"),
    (
        ("kill -9 $$", "program-killed"),
        ("exit 1", "program-failed"),
        ('exec prlimit --as=20000000 "$REAL" "$@"', "program-failed"),
    ),
    ids=("killed", "silent", "without memory"),
)
def test_a_check_that_comes_to_no_end_finds_no_fault(
    script: str, error: str, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_xfs(empty_image(image), [ROOT, file(b"a")], now=NOW)
    xfs_repair(tmp_path, script, monkeypatch)
    with pytest.raises(BootimgError) as caught:
        check_xfs(image, size=SMALL)
    assert caught.value.id == error


FILLER = b"f" * 4 * MIB


def files(blocks: int) -> Iterator[Node]:
    yield ROOT
    yield file(b"rest", FILLER[: 4096 * (blocks % 1024)])
    yield from (file(b"f%d" % each, FILLER) for each in range(blocks // 1024))


def attributes_and_names(count: int) -> Iterator[Node]:
    yield ROOT
    yield file(b"target")
    xattrs = tuple((b"user.large%d" % each, FILLER[:65536]) for each in range(3))
    for each in range(count):
        yield folder(b"%d" % each, xattrs=(label(), *xattrs))
        yield from (link(b"%d/%03d" % (each, name) + b"n" * 200, b"target") for name in range(8))


@pytest.mark.parametrize(("nodes", "largest"), ((files, SMALL // 4096), (attributes_and_names, 2048)))
def test_a_full_file_system_and_a_little_more(
    nodes: Callable[[int], Iterable[Node]], largest: int, image: Path
) -> None:
    """The planner's boundary holds: what it accepts can be written, and what it refuses is not begun."""
    empty_image(image)
    before = digest(image)
    fitting, refused = 0, largest
    while refused - fitting > 1:
        middle = (fitting + refused) // 2
        fitting, refused = (middle, refused) if fits(image, nodes(middle)) else (fitting, middle)
    with pytest.raises(BootimgError) as caught:
        fill_xfs(image, nodes(refused), now=NOW)
    assert caught.value.id == "disk-too-small"
    assert digest(image) == before
    filled = fill_xfs(image, nodes(fitting), now=NOW)
    check_xfs(image, size=SMALL)
    assert 4096 < filled.free_blocks < 6500


def fits(image: Path, nodes: Iterable[Node]) -> bool:
    with image.open("rb") as data:
        try:
            make_plan(Volume(Partition(data.fileno())), read_tree(nodes))
        except BootimgError as error:
            assert error.id == "disk-too-small"
            return False
    return True


def digest(image: Path) -> str:
    with image.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


SCRIPT = """
import sys
from pathlib import Path
from tests.support.xfs.xfsimages import empty_image, NOW
from tests.support.xfs import xfstrees
from bootimg.disk.xfs import fill_xfs
image = empty_image(Path(sys.argv[1]))
fill_xfs(image, xfstrees.attributes(every=5), now=NOW)
"""


def test_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    contents = []
    root = Path(__file__).parents[3]
    for number, (zone, locale, mask) in enumerate((("UTC", "C", 0o22), ("Asia/Tokyo", "de_DE.UTF-8", 0o77))):
        path = tmp_path / str(number) / "image"
        path.parent.mkdir()
        env = os.environ | {"TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": str(number)}
        subprocess.run(
            [sys.executable, "-c", SCRIPT, path], cwd=root, env=env, umask=mask, check=True, timeout=120
        )
        contents.append(digest(path))
    assert contents[0] == contents[1]


def test_nodes_that_make_no_tree(image: Path) -> None:
    wrong: tuple[list[Node], ...] = (
        [],
        [file(b"a")],
        [ROOT, file(b"a/b")],
        [ROOT, file(b"a"), file(b"a")],
        [ROOT, file(b"..")],
        [ROOT, file(b"a\0b")],
        [ROOT, file(b"a", b"content", size=3)],
        [ROOT, link(b"a", b"b"), file(b"b")],
        [ROOT, folder(b"a"), link(b"b", b"a")],
        [ROOT, file(b"a", None, reflink=b"b")],
        [ROOT, file(b"a"), Node(path=b"b", kind=Kind.FIFO, reflink=b"a")],
    )
    empty_image(image)
    before = digest(image)
    for nodes in wrong:
        with pytest.raises(ValueError):
            fill_xfs(image, nodes, now=NOW)
    assert digest(image) == before


def test_files_that_xfs_cannot_hold(image: Path) -> None:
    wrong = (
        file(b"n" * 256),
        Node(path=b"a", kind=Kind.SYMLINK, target=b""),
        Node(path=b"a", kind=Kind.SYMLINK, target=b"t" * 1024),
        Node(path=b"a", kind=Kind.CHARACTER_DEVICE, device=(512, 0)),
        file(b"a", mtime=-(2**31) * 10**9 - 1),
        file(b"a", xattrs=((b"user.a", bytes(65537)),)),
        file(b"a", xattrs=((b"user." + b"n" * 256, b""),)),
        file(b"a", xattrs=((b"user.", b""),)),
        file(b"a", xattrs=((b"os2.a", b""),)),
        file(b"a", xattrs=((b"trusted.SGI_ACL_FILE", b"v"),)),
        file(b"a", xattrs=((b"trusted.SGI_MAC_FILE", b"v" * 1000),)),
        file(b"a", xattrs=((b"user.a", b"1"), (b"user.a", b"2"))),
        file(b"a", xattrs=((b"system.posix_acl_access", b"\x03\0\0\0"),)),
    )
    empty_image(image)
    before = digest(image)
    for node in wrong:
        with pytest.raises(BootimgError) as caught:
            fill_xfs(image, [ROOT, node], now=NOW)
        assert caught.value.id == "xfs-file-unsupported"
        if len(node.path) == 1:
            assert "'a'" in caught.value.message
    assert digest(image) == before


def test_only_in_one_namespace_are_names_reserved(image: Path) -> None:
    xattrs = (
        (b"user.SGI_ACL_FILE", b"v"),
        (b"security.SGI_MAC_FILE", b"v"),
        (b"trusted.SGI_ACL_FILE2", b"v"),
    )
    fill_and_check(empty_image(image), [ROOT, file(b"a", xattrs=xattrs)])


def test_an_access_control_list_in_the_form_of_xfs(image: Path) -> None:
    entries = ((1, 7, -1), (2, 5, 1000), (4, 5, -1), (0x10, 7, -1), (0x20, 5, -1))
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    nodes = [ROOT, file(b"a", xattrs=((b"system.posix_acl_access", value),))]
    fill_xfs(empty_image(image), nodes, now=NOW)
    check_xfs(image, size=SMALL)
    found = dict(read_back(image)[b"a"].xattrs)
    packed = (struct.pack(">IiHH", tag, number, permissions, 0) for tag, permissions, number in entries)
    assert found[b"trusted.SGI_ACL_FILE"] == struct.pack(">I", 5) + b"".join(packed)


def test_in_a_partition_of_a_disk(tmp_path: Path, image: Path) -> None:
    disk, offset = tmp_path / "disk", 5 * MIB
    disk.write_bytes(b"before")
    os.truncate(disk, offset + SMALL + MIB)
    nodes = list(xfstrees.attributes(every=9))
    options = XfsOptions(uuid="5a8e3b9c-0e1d-4b2f-9c3d-aabbccddeeff", label="root")
    make_xfs(disk, size=SMALL, offset=offset, options=options)
    filled = fill_xfs(disk, nodes, now=NOW, offset=offset)
    check_xfs(disk, size=SMALL, offset=offset, metadata=filled.metadata)
    check_xfs(disk, size=SMALL, offset=offset)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk"]
    with disk.open("rb") as data:
        assert data.read(6) == b"before"
        data.seek(offset)
        image.write_bytes(data.read(SMALL))
    compare(image, nodes)
    assert b'label = "root"' in process.run(["xfs_admin", "-l", image]).stdout
