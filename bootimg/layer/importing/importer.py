"""Importing a layer into an ostree repository, object by object; existing objects are not written.

The commit is the merge commit that ostree-rs-ext would make.  On the running system bootc, rpm-ostree and
`ostree container image list` read its keys, and the refs of the image and of its layers.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.image.blobs import replacing
from bootimg.layer.image.fetched import Image
from bootimg.layer.importing.encapsulatedcommits import write_encapsulated
from bootimg.layer.importing.plaincommits import write_plain
from bootimg.layer.importing.repository import ObjectWriter, is_loose, open_repository, ref_of
from bootimg.layer.ostree.checksums import LayerChecksums
from bootimg.layer.ostree.libostree import Libostree, libostree
from bootimg.layer.ostree.refs import image_ref
from bootimg.layer.ostree.repoimage import write_repo_image
from bootimg.layer.tree.merged import Tree
from bootimg.sizes import GIB, MIB
from bootimg.untrusted.limited import ProcessLimits
from bootimg.untrusted.limits import DEFAULT, Limits

__all__ = ["ImportedCommit", "import_layer", "is_imported", "write_repo_image"]

_FORMAT = 2
"""Increased when the same image would give another commit."""
_LEAST_TIME, _SPEED = 300, MIB
"""Seconds of processor time that every import may take, and bytes for which there is one more."""


@dataclass(frozen=True, slots=True)
class ImportedCommit:
    """A layer in a repository.

    `ref` names the merge commit `checksum`; `refs` has it and a ref for each layer of the image.
    `objects` and `bytes` count what these commits need, `new_objects` and `new_bytes` what was written.
    `files` maps the loose files below the repository's `objects` to the sizes of their content.
    `limits` are those that the image was read with.
    """

    checksum: str
    ref: str
    refs: Mapping[str, str]
    objects: int
    new_objects: int
    bytes: int
    new_bytes: int
    seconds: float
    files: Mapping[str, int] = field(repr=False)
    limits: Limits = field(default=DEFAULT, repr=False)


def import_layer(
    image: Image, tree: Tree, *, repo: Path, cache: Cache, events: Events, imgref: str | None = None
) -> ImportedCommit:
    """Import the merged tree, and each layer separately, and set the refs.

    The ref is named after `imgref`, by default `image.reference`.  The commit does not depend on it: the same
    image always gives the same checksum.
    """
    started = time.monotonic()
    ref = image_ref(imgref or image.reference)
    record = _record_path(image, repo, cache)
    lock = f"repo-{_name(repo)}"
    with events.step("import", "Importing the layer", total=tree.size) as step, cache.locked(lock, events):
        imported = _found(record, repo, ref)
        new = new_bytes = 0
        if imported is None:
            with libostree(repo, cache.folder("logs") / "ostree.log", _limits(tree)) as worker:
                mode = open_repository(repo, worker)
                writer, checksum, refs = _write(image, tree, repo, mode, ref, cache, worker)
            imported = checksum, refs, writer.files
            new, new_bytes = writer.new, writer.new_bytes
            _record(record, imported)
        checksum, refs, files = imported
        step.advance(tree.size)
        step.result(f"{len(files)} objects, {new} new", cached=not new)
    return ImportedCommit(
        checksum=checksum,
        ref=ref,
        refs={**refs, ref: checksum},
        objects=len(files),
        new_objects=new,
        bytes=sum(files.values()),
        new_bytes=new_bytes,
        seconds=time.monotonic() - started,
        files=files,
        limits=image.budget.limits,
    )


def _limits(tree: Tree) -> ProcessLimits:
    seconds = _LEAST_TIME + tree.size // _SPEED
    return ProcessLimits(memory=None, data=GIB, seconds=seconds, written=None, deadline=4 * seconds)


def is_imported(image: Image, *, repo: Path, cache: Cache, imgref: str | None = None) -> bool:
    """Whether the repository already has everything that `import_layer` would write."""
    return _found(_record_path(image, repo, cache), repo, image_ref(imgref or image.reference)) is not None


def _name(repo: Path) -> str:
    return hashlib.sha256(os.fsencode(repo.absolute())).hexdigest()[:16]


def _record_path(image: Image, repo: Path, cache: Cache) -> Path:
    return cache.root / "imports" / f"{image.digest.partition(':')[2]}-{_name(repo)}.json"


def _found(record: Path, repo: Path, ref: str) -> _Imported | None:
    imported = _recorded(record, repo)
    if imported is None or not _has_refs(repo, {**imported[1], ref: imported[0]}):
        return None
    return imported


def _has_refs(repo: Path, refs: Mapping[str, str]) -> bool:
    return all(ref_of(repo, ref) == checksum for ref, checksum in refs.items())


_Imported = tuple[str, dict[str, str], dict[str, int]]


def _recorded(record: Path, repo: Path) -> _Imported | None:
    if not record.exists():
        return None
    version, checksum, refs, files = json.loads(record.read_bytes())
    return (checksum, refs, files) if version == _FORMAT and is_loose(repo, files) else None


def _record(record: Path, imported: _Imported) -> None:
    with replacing(record) as output:
        output.write(json.dumps([_FORMAT, *imported], separators=(",", ":")).encode())


def _write(
    image: Image, tree: Tree, repo: Path, mode: str, ref: str, cache: Cache, worker: Libostree
) -> tuple[ObjectWriter, str, dict[str, str]]:
    sums = {number: LayerChecksums(layer.diff_id, cache) for number, layer in enumerate(tree.layers)}
    worker.call("begin", [os.fspath(layer.path) for layer in tree.layers])
    writer = ObjectWriter(repo, mode, worker, tree, sums)
    write = write_encapsulated if tree.ostree else write_plain
    checksum, refs = write(image, tree, writer, worker, cache)
    for commit in {checksum, *refs.values()}:
        writer.count_commit(commit)
    worker.call("finish", {**refs, ref: checksum})
    for known in sums.values():
        known.save()
    return writer, checksum, refs
