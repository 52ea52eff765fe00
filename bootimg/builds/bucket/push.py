"""Pushing a build to a bucket: files first, then meta.json, builds.json last.

So a reader of the bucket always finds every file that a meta.json names, and a meta.json for every listed
build.  A file that is in the bucket with the same size and digest is not sent again: the same command
continues an interrupted push.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.builds.bucket.jsonstore import parse, update
from bootimg.builds.bucket.tree import ARTIFACT_AGE, METADATA_AGE, Bucket, Head
from bootimg.builds.companions import Companion, companion, companions
from bootimg.builds.expected import expected, joined
from bootimg.builds.find import Build, digest_of, require_digest
from bootimg.builds.folder import BuildDir, open_build
from bootimg.builds.index import checked_index, listed, read_index
from bootimg.builds.layout import BUILDS, META, SIGNATURE
from bootimg.builds.merge import merged, with_images
from bootimg.builds.names import safe_images, safe_name
from bootimg.builds.record import RECORD, read_tree
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.targets import PROVENANCE_KEY

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The artifacts to push (all if empty), and two options.

    `force` replaces differing files in the bucket; without `index` builds.json is not changed.  With `whole`
    a build is listed there only if no expected artifact is missing.
    """

    artifacts: Collection[str] = ()
    force: bool = False
    index: bool = True
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A file's size in bytes and its object's key; `moved` is False if it was at the target already."""

    key: str
    size: int
    moved: bool


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    sha256: str
    is_artifact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A pushed build of one architecture; `url` is that of its folder.

    `missing` are expected artifacts that the bucket's meta.json does not have.  `provenance` is None if the
    build has none.
    """

    id: str
    arch: Arch
    url: str
    files: Sequence[Moved]
    missing: tuple[str, ...]
    listed: bool
    provenance: Companion | None


def push_builds(found: Collection[Build], bucket: Bucket, chosen: Selection, events: Events) -> list[Pushed]:
    """Push these architectures of one build, and list them in the bucket's builds.json."""
    done: list[Pushed] = []
    for build in found:
        with open_build(build.path.parent.parent, build.id, build.arch) as folder:
            done.append(_push(folder, bucket, chosen, events))
    for build, pushed in zip(found, done, strict=True):
        if pushed.listed:
            _list(build, bucket)
    return done


def chosen_images(meta: Json, artifacts: Collection[str], where: str) -> Json:
    """The entries of the chosen artifacts (all if empty); `artifact-missing` for an unknown key."""
    images = safe_images(meta, where)
    for key in artifacts:
        if key not in images:
            raise BootimgError(
                "artifact-missing",
                f"{where} has no {key} image",
                context=[f"it has: {', '.join(images)[:500] or 'none'}"],
                hint="name artifacts by their keys in meta.json",
                exit_code=ExitCode.USAGE,
            )
    return {key: entry for key, entry in images.items() if not artifacts or key in artifacts}


def _push(folder: BuildDir, bucket: Bucket, chosen: Selection, events: Events) -> Pushed:
    prefix = f"{safe_name(folder.id, str(folder.builds))}/{folder.arch}"
    key, meta = f"{prefix}/{META}", folder.meta.read()
    ours = {**meta, "images": chosen_images(meta, chosen.artifacts, str(folder.path))}
    # This detects another build under the same id before anything is sent.
    merged(parse(bucket.read(key), key), ours, bucket.url(key))
    files = list(_send_files(folder, meta, ours, bucket, prefix, chosen, events))
    if record := read_tree(folder.file(RECORD)):
        where = f"{prefix}/{RECORD}"
        update(bucket, where, lambda there: joined(record, there, bucket.url(where)))
    after = update(
        bucket, key, lambda there: with_images(merged(there, ours, bucket.url(key)), ours["images"])
    )
    missing = tuple(each for each in expected(folder.path) if each not in after["images"])
    return Pushed(
        id=folder.id,
        arch=folder.arch,
        url=bucket.url(prefix),
        files=files,
        missing=missing,
        listed=chosen.index and not (chosen.whole and missing),
        provenance=companion(folder.path, PROVENANCE_KEY),
    )


def _send_files(
    folder: BuildDir, meta: Json, ours: Json, bucket: Bucket, prefix: str, chosen: Selection, events: Events
) -> Iterator[Moved]:
    for file in _files(folder, meta, ours["images"], bucket, prefix):
        yield _send(file, f"{prefix}/{file.path.name}", bucket, chosen, events)
    for path in _plain_files(folder.path.parent):
        yield _send(_File(path, digest_of(path)), f"{folder.id}/{path.name}", bucket, chosen, events)


def _list(build: Build, bucket: Bucket) -> None:
    order = [entry["id"] for entry in read_index(build.path.parent.parent)["builds"]]

    def insert(there: Json) -> Json:
        return listed(checked_index(there, bucket.url(BUILDS)), build.id, build.arch.value, order)

    update(bucket, BUILDS, insert)


def _files(
    folder: BuildDir, meta: Json, images: Mapping[str, Any], bucket: Bucket, prefix: str
) -> Iterator[_File]:
    """The files to push, artifacts first; `artifact-missing` if one is neither here nor in the bucket."""
    for key, entry in images.items():
        path = folder.file(entry["path"])
        if path.is_file():
            require_digest(path, "sha256", entry["sha256"], digest_of(path))
            yield _File(path, entry["sha256"], is_artifact=True)
            if (signature := path.with_name(f"{path.name}{SIGNATURE}")).is_file():
                yield _File(signature, digest_of(signature))
        else:
            _require_object(bucket, f"{prefix}/{path.name}", key, entry["sha256"])
    known = {
        f"{each['path']}{suffix}" for each in meta.get("images", {}).values() for suffix in ("", SIGNATURE)
    }
    for key, found in companions(folder.path).items():
        known.add(found.path)
        yield from _companion(folder.file(found.path), key, found, bucket, prefix)
    for path in _plain_files(folder.path):
        if path.name not in known and path.name not in (META, RECORD):
            yield _File(path, digest_of(path))


def _companion(path: Path, key: str, found: Companion, bucket: Bucket, prefix: str) -> Iterator[_File]:
    if path.is_file():
        require_digest(path, "sha256", found.sha256, digest_of(path), record=RECORD)
        yield _File(path, found.sha256)
    else:
        _require_object(bucket, f"{prefix}/{path.name}", key, found.sha256)


def _plain_files(folder: Path) -> list[Path]:
    """The regular files in a folder, also those of pipelines; hidden ones are locks and journals."""
    return [each for each in sorted(folder.iterdir()) if each.is_file() and not each.name.startswith(".")]


def _require_object(bucket: Bucket, key: str, image: str, sha256: str) -> None:
    """Require an artifact that is not here to be in the bucket: `artifact-missing` otherwise."""
    there = bucket.head(key)
    if there is None or (there.sha256 or bucket.digest(key)) != sha256:
        raise BootimgError(
            "artifact-missing",
            f"{image} is not here, and the bucket does not have the file that the metadata describe",
            context=[bucket.url(key)],
            hint="select the artifacts to push with --artifact, or make it again",
            exit_code=ExitCode.USAGE,
        )


def _send(file: _File, key: str, bucket: Bucket, chosen: Selection, events: Events) -> Moved:
    size = file.path.stat().st_size
    with events.step(f"push {file.path.name}", file.path.name, total=size) as step:
        there = bucket.head(key)
        if there is not None and _same(there, Head(size, file.sha256), bucket, key):
            step.result("is there", cached=True)
            return Moved(key, size, False)
        if there is not None and file.is_artifact and not chosen.force:
            raise BootimgError(
                "bucket-object-differs",
                f"{bucket.url(key)} exists and is another file",
                context=[f"there: {there.size} bytes, sha256 {there.sha256 or 'not stored'}",
                         f"here:  {size} bytes, sha256 {file.sha256}"],
                hint="caches keep it for a year: give the build another id, or replace it with --force",
            )  # fmt: skip
        age = ARTIFACT_AGE if file.is_artifact else METADATA_AGE
        bucket.upload(file.path, key, file.sha256, age, step.advance)
    return Moved(key, size, True)


def _same(there: Head, ours: Head, bucket: Bucket, key: str) -> bool:
    """Whether an object is our file; reads an object without a stored digest (from coreos-assembler)."""
    return there.size == ours.size and (there.sha256 or bucket.digest(key)) == ours.sha256
