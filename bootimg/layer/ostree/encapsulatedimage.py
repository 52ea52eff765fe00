"""Reads an encapsulated image: its objects, which are verified, and its trees."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bootimg.cache import Cache
from bootimg.layer.image.blobs import CHUNK
from bootimg.layer.image.encapsulation import Encapsulation, invalid
from bootimg.layer.ostree.checksums import LayerChecksums
from bootimg.layer.ostree.committree import commit_tree
from bootimg.layer.ostree.containertree import OstreeTree, etc_twice
from bootimg.layer.ostree.derived import PREPARE_ROOT, derived_tree, takes_all
from bootimg.layer.ostree.flatten import flatten
from bootimg.layer.ostree.layerobjects import LayerObjects, mismatch, read_objects
from bootimg.layer.ostree.objects import Xattrs, file_header
from bootimg.layer.tar.damaged import truncated
from bootimg.layer.tar.entry import TYPES, Entry, Kind
from bootimg.layer.tar.opened import LayerTar
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import TEXT_LIMIT


@dataclass(frozen=True, slots=True)
class OstreeImage:
    """`objects` has those of each of the base's layers, bottom first; `base` is the tree of their commit.

    `derived` has the tree of each further layer, `merged` the tree of all layers together.  Paths are those
    of commits, with /usr/etc.
    """

    commit: str
    objects: tuple[LayerObjects, ...]
    base: OstreeTree
    derived: tuple[OstreeTree, ...]
    merged: OstreeTree


def open_ostree(
    found: Encapsulation, layers: Sequence[LayerTar], cache: Cache, budget: Budget
) -> OstreeImage:
    """Read and verify the objects of the base's layers, and make the trees."""
    with budget.working():
        objects = tuple(
            read_objects(layer, lambda entry: b"".join(chunks(layers, entry)), budget, first=number == 0)
            for number, layer in enumerate(layers[: found.base])
        )
    commit = objects[0].commit
    assert commit is not None
    if found.commit not in (None, commit):
        raise invalid(f"its label names the commit {str(found.commit)[:80]}, but its layers hold {commit}")
    for number, each in enumerate(objects):
        _verify(each, layers, number, cache)
    with budget.working():
        base = commit_tree(objects, budget)
        if {"etc", "usr/etc"} <= base.entries.keys():
            raise etc_twice()
        everything = takes_all(_prepare_root(base.entries, layers))
        derived = tuple(
            derived_tree(layer.entries, budget, everything=everything) for layer in layers[found.base :]
        )
        return OstreeImage(commit, objects, base, derived, flatten(base, derived))


def _verify(objects: LayerObjects, layers: Sequence[LayerTar], number: int, cache: Cache) -> None:
    sums = LayerChecksums(layers[number].diff_id, cache)
    for checksum, entry in objects.content.items():
        found = sums.of(entry.offset, content_header(entry, entry.xattrs), chunks(layers, entry))
        if found != checksum:
            raise mismatch(f"{checksum}.file", found)
    sums.save()


def content_header(entry: Entry, xattrs: Xattrs) -> bytes:
    """The header of a file's or symlink's content object."""
    mode, target = content_mode(entry)
    return file_header(entry.uid, entry.gid, mode, target, xattrs)


def content_mode(entry: Entry) -> tuple[int, str]:
    """A content object's mode, with the bits of the file type, and a symlink's target."""
    link = entry.kind is Kind.SYMLINK
    return TYPES[entry.kind] | (0o777 if link else entry.mode), entry.target if link else ""


def _prepare_root(entries: Mapping[str, Entry], layers: Sequence[LayerTar]) -> bytes:
    entry = entries.get(PREPARE_ROOT)
    if entry is None or entry.kind is not Kind.FILE:
        return b""
    # The parser refuses what has more.
    return b"".join(chunks(layers, replace(entry, size=min(entry.size, TEXT_LIMIT + 1))))


def chunks(layers: Sequence[LayerTar], entry: Entry) -> Iterator[bytes]:
    """The content of a file, a piece at a time."""
    if not entry.size:
        return
    with layers[entry.layer].path.open("rb") as handle:
        offset, end = entry.offset, entry.offset + entry.size
        while offset < end:
            data = os.pread(handle.fileno(), min(CHUNK, end - offset), offset)
            if not data:
                raise truncated()
            offset += len(data)
            yield data
