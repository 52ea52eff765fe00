"""The composefs image: byte for byte what composefs' own writer makes of the same tree."""

from __future__ import annotations

import shutil
import stat
import subprocess
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from bootimg.sysroot.composefs.image import composefs_image, image_of
from bootimg.sysroot.composefs.tree import Node, commit_nodes
from bootimg.sysroot.composefs.xxh32 import xxh32
from bootimg.sysroot.entries import Xattrs
from bootimg.sysroot.unsupported import NativeUnsupportedError
from tests.support.layers.composefsdump import dump
from tests.support.layers.hostiletree import hostile_tree
from tests.support.layers.ostreedeploy import commit, own_rules, require


def directory(uid: int = 0, xattrs: Xattrs = ()) -> Node:
    return Node(mode=stat.S_IFDIR | 0o755, uid=uid, xattrs=xattrs, children={})


def filled(random: Random, depth: int = 0) -> Node:
    """A directory with whatever an image can hold."""
    node = directory(uid=random.choice((0, 7, 70000)), xattrs=attributes(random))
    assert node.children is not None
    count = random.choice((0, 1, 3, 20, 400 if depth == 1 else 5))
    for number in range(count):
        length = random.choice((1, 8, 40, 255))
        name = (b"%d" % number + bytes(random.choices(range(33, 127), k=length))).replace(b"/", b"_")[:255]
        node.children[name] = (
            leaf(random) if depth > 2 or random.random() < 0.8 else filled(random, depth + 1)
        )
    return node


def leaf(random: Random) -> Node:
    owner = random.choice((0, 1000, 100000))
    if random.random() < 0.3:
        target = bytes(random.choices(range(33, 127), k=random.choice((1, 30, 1000))))
        return Node(mode=stat.S_IFLNK | 0o777, gid=owner, target=target, xattrs=attributes(random))
    size = random.choice((0, 1, 4096, 5000, 1 << 32, 1 << 43))
    name = b"%02x/%062x.file" % (random.randrange(256), random.randrange(1 << 200))
    mode = stat.S_IFREG | random.choice((0o644, 0o4755, 0))
    return Node(mode=mode, uid=owner, size=size, redirect=name, xattrs=attributes(random))


def attributes(random: Random) -> Xattrs:
    label = (
        b"security.selinux",
        b"system_u:object_r:x%d_t:s0\0" % random.choice((1, 1, 1, 2, random.randrange(99))),
    )
    others = (
        (b"user.a", b""), (b"user.bb", b"x" * 7), (b"trusted.overlay.opaque", b"y"), (b"trusted.t", b"=\\ -"),
        (b"security.capability", bytes(20)), (b"user.long", b"v" * 500),
        (b"user.own", b"%d" % random.randrange(99)),
    )  # fmt: skip
    return (label, *random.sample(others, random.choice((0, 0, 0, 1, 3))))


def judged(root: Node, folder: Path) -> bytes:
    """What composefs' own writer makes of a tree."""
    text, image = folder / "dump", folder / "image"
    text.write_bytes(dump(root))
    subprocess.run(["mkcomposefs", "--from-file", text, image], check=True)
    return image.read_bytes()


needs_mkcomposefs = pytest.mark.skipif(not shutil.which("mkcomposefs"), reason="mkcomposefs is not installed")


@needs_mkcomposefs
@pytest.mark.parametrize("seed", range(60))
def test_random_trees_are_byte_identical(seed: int, tmp_path: Path) -> None:
    theirs = judged(filled(Random(seed)), tmp_path)
    assert image_of(filled(Random(seed))) == theirs


@needs_mkcomposefs
@pytest.mark.parametrize("variant", [1, 2, 3])
def test_a_hostile_commit_is_byte_identical(variant: int, tmp_path: Path) -> None:
    require()
    tree = hostile_tree(tmp_path / "tree", variant)
    (tree / "usr/lib/containers/over/.ostree-wh.gone").unlink()
    system = commit(tree, tmp_path / "repo").wanted(own_rules())
    theirs = judged(commit_nodes(system.commit), tmp_path)
    assert composefs_image(system.commit) == theirs


def test_mount_points_that_the_commit_lacks_are_in_the_image(tmp_path: Path) -> None:
    require()
    for name in ("usr/lib", "boot"):
        (tmp_path / "tree" / name).mkdir(parents=True)
    (tmp_path / "tree/boot").chmod(0o700)
    (tmp_path / "tree/var").symlink_to("usr")
    root = commit_nodes(commit(tmp_path / "tree", tmp_path / "repo").wanted(own_rules()).commit)
    assert root.children is not None
    modes = {name: oct(node.mode) for name, node in root.children.items()}
    assert modes == {
        b"boot": "0o40700", b"etc": "0o40755", b"sysroot": "0o40755", b"usr": "0o40755", b"var": "0o120777"
    }  # fmt: skip


def test_images_are_those_that_composefs_was_seen_to_make() -> None:
    """mkcomposefs 1.0.8 made the same bytes of these trees."""
    digests = [sha256(image_of(filled(Random(seed)))).hexdigest()[:16] for seed in range(4)]
    assert digests == ["b13f4a33dd3a1994", "8e7176908fc76e03", "081d5476c6d47eca", "396f251556a845e5"]


def test_an_image_does_not_depend_on_the_order_of_names() -> None:
    def tree(names: list[bytes]) -> Node:
        root = directory()
        assert root.children is not None
        for name in names:
            root.children[name] = Node(mode=stat.S_IFREG | 0o644)
        return root

    assert image_of(tree([b"b", b"a"])) == image_of(tree([b"a", b"b"]))


def test_a_symlink_that_does_not_fit_a_block_is_left_to_ostree() -> None:
    root = directory()
    assert root.children is not None
    root.children[b"l"] = Node(
        mode=stat.S_IFLNK | 0o777, target=b"x" * 4000, xattrs=((b"user.a", b"v" * 99),)
    )
    with pytest.raises(NativeUnsupportedError, match="fills a block"):
        image_of(root)


@pytest.mark.parametrize(
    ("data", "seed", "expected"),
    # The first two are of the xxHash specification's implementation; lengths cross the 16 bytes of a stripe.
    [(b"", 0, 0x02CC5D05), (b"abc", 0, 0x32D153FF), (b"abcd", 0, 0xA3643705)],
)
def test_xxh32(data: bytes, seed: int, expected: int) -> None:
    assert xxh32(data, seed) == expected
