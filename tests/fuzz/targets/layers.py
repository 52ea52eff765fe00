"""A layer's blob and tar, and the trees that layers make."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import zstandard

from bootimg.atomic import temporary_folder
from bootimg.cache import Cache
from bootimg.layer.fetching.packedarchive import is_packed_archive, plain_archive
from bootimg.layer.image.blobs import BlobStore
from bootimg.layer.image.fetched import Blob, digest_of
from bootimg.layer.ostree.derived import derived_tree
from bootimg.layer.ostree.flatten import container_view, flatten
from bootimg.layer.tar.entry import MAX_PATH, Entry, Kind
from bootimg.layer.tar.merge import Merged
from bootimg.layer.tar.opened import LayerTar, open_layer
from bootimg.layer.tar.tarformat import BLOCK, read_entries
from bootimg.layer.tree.merged import Tree
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import Limits
from tests.fuzz.target import refusals, target
from tests.support.layers import oci

LITTLE = Limits(names=60, metadata=4000, link_steps=500, unpacked=MIB, cpu=10)
LINKED = (
    oci.folder("etc"), oci.file("usr/a", b"a" * 600, xattrs={"user.a": b"b"}), oci.hardlink("usr/b", "usr/a"),
    oci.symlink("lib", "usr/lib"), oci.file("lib/c", b"c"), oci.symlink("loop", "loop"), oci.file(".wh.gone"),
    oci.folder("etc/d"), oci.file("etc/d/.wh..wh..opq"), oci.file("sysroot/ostree/repo/x", b"x"),
)  # fmt: skip


def _tars() -> Iterator[bytes]:
    long = oci.file("n" * 60 + "/" + "n" * 60, b"n")
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        members = LINKED if format is tarfile.PAX_FORMAT else (oci.file("usr/a", b"a"), long)
        # Each ends with its end mark alone: padding to 10 KiB is only more to mutate in vain.
        yield oci.tar(*members, format=format).rstrip(b"\0") + bytes(1024)


def summed(data: bytes) -> bytes:
    """The blocks with the checksum that a header there would have, where one begins with a printable name."""
    fixed = bytearray(data)
    for at in range(0, len(data) - BLOCK + 1, BLOCK):
        if fixed[at + 257 : at + 262] == b"ustar":
            fixed[at + 148 : at + 156] = b" " * 8
            fixed[at + 148 : at + 156] = b"%06o\0 " % sum(fixed[at : at + BLOCK])
    return bytes(fixed)


@target(
    _tars,
    words=("ustar", "../", "./", ".wh.", "SCHILY.xattr.", "12 path=", "GNU.sparse.", "size="),
    runs=1000,
    longest=16384,
)
def layer_tar(data: bytes, folder: Path) -> None:
    """A tar as a layer, and as two layers on each other."""
    for each in (data, summed(data)):
        with refusals():
            _trees(folder, each)


def _trees(folder: Path, data: bytes) -> None:
    entries = tuple(read_entries(data, Budget()))
    path = folder / "layer.tar"
    path.write_bytes(data)
    half = len(entries) // 2
    layers = [LayerTar("x", path, entries[:half]), LayerTar("y", path, entries[half:])]
    with refusals():
        _whole(Tree([LayerTar("x", path, entries)], budget=Budget()))
    with refusals():
        _whole(Tree(layers, budget=Budget()))
    for everything in (True, False):
        with refusals():
            base, derived = (derived_tree(each.entries, Budget(), everything=everything) for each in layers)
            merged = Merged(Budget())
            merged.lay(container_view(flatten(base, [derived])).values())


@target(_tars, words=("ustar", ".wh.", "SCHILY.xattr.", "../", "path="), runs=1000, longest=16384)
def layer_budget(data: bytes, folder: Path) -> None:
    """What a tree has never is more than its budget says, whatever its layers are."""
    for each in (data, summed(data)):
        budget = Budget(LITTLE)
        merged = Merged(budget)
        with refusals(), budget.working():
            entries = []
            for entry in read_entries(each, budget):
                budget.name(entry.text, entry.path)
                entries.append(entry)
            merged.apply(entries[len(entries) // 2 :])
            merged.apply(entries[: len(entries) // 2])
        # One more is in hand where the budget ends, and the root is nobody's.
        assert len(merged.entries) <= LITTLE.names + 2
        assert sum(len(path) for path in merged.entries) <= LITTLE.metadata + MAX_PATH
        assert all(len(path.encode()) <= MAX_PATH for path in merged.entries)


def _packed() -> Iterator[bytes]:
    data = oci.tar(oci.file("oci-layout", b"{}"))
    yield from (oci.compress(data, how) for how in ("gzip", "zstd", "xz", "bzip2"))
    yield oci.compress(data[:512], "xz") + bytes(4) + oci.compress(data[512:], "xz")


@target(_packed, words=("\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "BZh9"), runs=400, longest=8192)
def packed_archive(data: bytes, folder: Path) -> None:
    """An archive that is compressed as a whole; no more is unpacked than is allowed."""
    path = folder / "packed"
    path.write_bytes(data)
    is_packed_archive(path)
    budget = Budget(LITTLE)
    with refusals(), plain_archive(path, partial(temporary_folder, "packed-archive-"), budget) as plain:
        assert plain == path or plain.stat().st_size <= LITTLE.unpacked


def _whole(tree: Tree) -> None:
    """Every entry can be walked to, is inside the tree, and is read."""
    walked = list(tree.walk())
    assert {each.path for each in walked} == tree.entries.keys()
    assert all(_inside(each) for each in walked)
    for each in walked:
        if each.kind is Kind.FILE:
            assert sum(map(len, tree.chunks(each))) == each.size
        tree.resolve(each.path)


def _inside(entry: Entry) -> bool:
    return not entry.path.startswith("/") and ".." not in entry.path.split("/") and "\0" not in entry.path


def _blobs() -> Iterator[bytes]:
    data = next(_tars())
    yield from (data, gzip.compress(data, mtime=0), zstandard.ZstdCompressor().compress(data))
    output = io.BytesIO()
    with gzip.GzipFile(fileobj=output, mode="wb", mtime=0, filename="x") as file:
        file.write(data)
    yield output.getvalue() + gzip.compress(b"", mtime=0)


@target(_blobs, words=("\x1f\x8b\x08", "\x28\xb5\x2f\xfd"), runs=250, longest=16384)
def layer_blob(data: bytes, folder: Path) -> None:
    """A blob whose digest is right, and whose content is anything."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    cache = Cache(folder / "cache")
    blob = Blob(digest_of(data), len(data), "", f"sha256:{hashlib.sha256(next(_tars())).hexdigest()}")
    with refusals():
        BlobStore(cache).add(blob.digest, [data])
        open_layer(blob, 0, cache, Budget())
