"""The hash trees of dm-verity, held against veritysetup."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from bootimg import process
from bootimg.disk.extents import FileSource
from bootimg.secex.verity import DATA_BLOCK, HASH_BLOCK, Verity, tree_size
from bootimg.sizes import MIB

VERITY = Verity(UUID(int=77), bytes(range(32)))
SIZES = (2 * DATA_BLOCK, 128 * DATA_BLOCK, 129 * DATA_BLOCK, MIB + DATA_BLOCK, 9 * MIB)
"""One block of digests and two, with one level above them and two."""


def sparse(path: Path, size: int) -> Path:
    """A file whose data begins and ends inside blocks."""
    random = Random(size)
    with path.open("wb") as file:
        file.truncate(size)
        for at, amount in ((size // 3, size // 5), (size * 3 // 4, min(700, size // 4))):
            file.seek(at)
            file.write(random.randbytes(amount))
    return path


@pytest.mark.parametrize("size", SIZES)
def test_the_tree_is_the_one_of_veritysetup(tmp_path: Path, size: int) -> None:
    if process.find("veritysetup") is None:
        pytest.skip("veritysetup (cryptsetup-bin) is not installed")
    data, tree, other = sparse(tmp_path / "data", size), tmp_path / "tree", tmp_path / "other"
    with FileSource(data) as source:
        root = VERITY.write(source, 0, size, tree)
    options = ["--data-block-size", "512", "--uuid", str(VERITY.uuid), "--salt", VERITY.salt.hex()]
    shown = process.run(["veritysetup", "format", *options, data, other]).stdout.decode()
    assert shown.split("Root hash:")[1].split()[0] == root
    assert tree.read_bytes() == other.read_bytes()
    process.run(["veritysetup", "verify", data, tree, root])


def test_a_part_of_a_disk_has_the_tree_of_that_part(tmp_path: Path) -> None:
    data, start = sparse(tmp_path / "data", 2 * MIB), 3 * DATA_BLOCK
    alone = tmp_path / "alone"
    alone.write_bytes(data.read_bytes()[start : start + MIB])
    with FileSource(data) as whole, FileSource(alone) as part:
        found = VERITY.write(whole, start, MIB, tmp_path / "one")
        assert found == VERITY.write(part, 0, MIB, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_root_hash_is_that_of_the_trees_first_block(tmp_path: Path) -> None:
    data, tree = sparse(tmp_path / "data", MIB), tmp_path / "tree"
    with FileSource(data) as source:
        root = VERITY.write(source, 0, MIB, tree)
    content = tree.read_bytes()
    assert len(content) == tree_size(MIB) == HASH_BLOCK * (1 + 1 + 16)
    top = content[HASH_BLOCK : 2 * HASH_BLOCK]
    assert hashlib.sha256(VERITY.salt + top).hexdigest() == root
    data.write_bytes(data.read_bytes()[:-1] + b"\1")
    with FileSource(data) as source:
        assert VERITY.write(source, 0, MIB, tmp_path / "changed") != root
