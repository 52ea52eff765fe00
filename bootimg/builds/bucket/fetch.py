"""Fetching a build from a bucket into the builds tree: files first, then meta.json, builds.json last.

A file gets its name only after its digest was compared with meta.json.  A file that is here already is not
fetched again.  Other builds in the tree, and entries of uploads in the local meta.json, stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.atomic import require_space, write_own
from bootimg.builds.bucket.jsonstore import parse
from bootimg.builds.bucket.push import Moved, chosen_images
from bootimg.builds.bucket.tree import Bucket, Head
from bootimg.builds.companions import TITLES, Companion, companions, parse_companions, record_companion
from bootimg.builds.expected import join_record
from bootimg.builds.find import digest_of
from bootimg.builds.folder import BuildDir, open_build
from bootimg.builds.index import change_index, checked_index, insert_build
from bootimg.builds.layout import BUILDS, COMMIT_META, LATEST, META, SIGNATURES
from bootimg.builds.merge import merged, require_same_build, with_images
from bootimg.builds.names import known_arches, safe_images, safe_name
from bootimg.builds.policy import (
    CLEANUP,
    Removed,
    cleanup_of,
    is_tombstone,
    removed_by_policy,
    with_cleanup,
)
from bootimg.builds.provenance.writing import complete_provenance
from bootimg.builds.record import RECORD, parse_record, parse_tree
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events

Json = dict[str, Any]
# coreos-assembler fetches these with every build, if they exist.
_BESIDE = (COMMIT_META,)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The build, architectures and artifacts to fetch; the artifact `all` means every one.

    With `started` the build need not be in builds.json yet, and may be missing.
    """

    build: str
    arches: Collection[Arch]
    artifacts: Collection[str] = ()
    started: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched build of one architecture, and its files."""

    id: str
    arch: Arch
    path: Path
    files: Sequence[Moved]


def fetch_build(builds: Path, bucket: Bucket, wanted: Wanted, events: Events) -> list[Fetched]:
    """Fetch a build; without `arches` all its architectures.

    An artifact that only some of all architectures have is fetched for those.  Errors: `build-not-found`, and
    more.
    """
    index, order = _index(bucket)
    if wanted.started:
        return list(_fetch_started(builds, bucket, wanted, order, events))
    build_id = _resolve(index, order, wanted.build, bucket)
    there = known_arches(index["builds"][order.index(build_id)]["arches"])
    for arch in wanted.arches:
        if arch not in there:
            raise _missing(f"build {build_id} has no {arch} in {bucket.url(BUILDS)}", ", ".join(there))
    fetched, removed = [], removed_by_policy(index, build_id)
    for arch, artifacts in _artifacts_of(bucket, build_id, there, wanted).items():
        with open_build(builds, build_id, arch) as folder:
            files = list(_fetch(folder, bucket, artifacts, removed, events))
        insert_build(builds, build_id, arch, order=order)
        fetched.append(Fetched(build_id, arch, folder.path, files))
    if cleanup := cleanup_of(index, build_id):
        change_index(builds, lambda ours: with_cleanup(ours, build_id, cleanup))
    return fetched


def newest_builds(bucket: Bucket, count: int) -> list[str]:
    """The ids of the newest builds in the bucket, newest first; `build-not-found` if there is none."""
    index, order = _index(bucket)
    return order[:count] or [_resolve(index, order, LATEST, bucket)]


def _index(bucket: Bucket) -> tuple[Json, list[str]]:
    """The bucket's builds.json, and the ids in it, newest first."""
    index = checked_index(parse(bucket.read(BUILDS), BUILDS), bucket.url(BUILDS))
    return index, [safe_name(entry["id"], bucket.url(BUILDS)) for entry in index["builds"]]


def _fetch_started(
    builds: Path, bucket: Bucket, wanted: Wanted, order: Sequence[str], events: Events
) -> Iterator[Fetched]:
    """Those architectures whose meta.json is in the bucket: it is pushed after the files that it names."""
    build_id = safe_name(wanted.build, bucket.url(BUILDS))
    for arch in wanted.arches:
        if bucket.head(f"{build_id}/{arch}/{META}", optional=True) is None:
            events.message(f"{bucket.url(f'{build_id}/{arch}')} has no build yet")
            continue
        with open_build(builds, build_id, arch) as folder:
            files = list(_fetch(folder, bucket, wanted.artifacts, Removed(), events))
        insert_build(builds, build_id, arch, order=order)
        yield Fetched(build_id, arch, folder.path, files)


def _artifacts_of(
    bucket: Bucket, build_id: str, there: Sequence[Arch], wanted: Wanted
) -> dict[Arch, Collection[str]]:
    """The artifacts to fetch for each architecture; `artifact-missing` if none has one of them."""
    if wanted.arches or not wanted.artifacts or "all" in wanted.artifacts:
        return dict.fromkeys(wanted.arches or there, wanted.artifacts)
    where = {arch: f"{build_id}/{arch}/{META}" for arch in there}
    images = {arch: safe_images(parse(bucket.read(key), key), bucket.url(key)) for arch, key in where.items()}
    every = {key: entry for each in images.values() for key, entry in each.items()}
    chosen_images({"images": every}, wanted.artifacts, bucket.url(build_id))
    return {arch: [key for key in wanted.artifacts if key in found] for arch, found in images.items()}


def _fetch(
    folder: BuildDir, bucket: Bucket, artifacts: Collection[str], removed: Removed, events: Events
) -> Iterator[Moved]:
    prefix = f"{folder.id}/{folder.arch}"
    where = bucket.url(f"{prefix}/{META}")
    stored = bucket.read(f"{prefix}/{META}")
    if stored is None:
        raise _missing(f"builds.json lists build {folder.id} ({folder.arch}), and there is no {where}", "")
    theirs = parse(stored, where)
    _check(theirs, folder, where)
    images = chosen_images(theirs, () if "all" in artifacts else artifacts, where) if artifacts else {}
    missing = {key: entry for key, entry in images.items() if not _is_here(folder, entry)}
    for key in [key for key in missing if removed.has(key)]:
        if bucket.head(f"{prefix}/{missing[key]['path']}", optional=True) is None:
            _skip_removed(f"{prefix}/{missing.pop(key)['path']}", key, bucket, artifacts, events)
            images = {name: entry for name, entry in images.items() if name != key}
    require_space(folder.path, sum(int(entry.get("size", 0)) for entry in missing.values()))
    for key, entry in images.items():
        yield _artifact(folder, bucket, f"{prefix}/{entry['path']}", entry, key in missing, events)
    for name in _BESIDE:
        _beside(folder, bucket, f"{prefix}/{name}")
    yield from _record(folder, bucket, prefix, events)
    kept = _ours(folder) | images
    folder.meta.join(lambda ours: with_images(merged(ours, theirs, str(folder.path)), kept))
    complete_provenance(folder)


def _skip_removed(key: str, name: str, bucket: Bucket, artifacts: Collection[str], events: Events) -> None:
    """Report an artifact that a policy removed; `artifact-removed` if the user named it."""
    if "all" not in artifacts:
        raise BootimgError(
            "artifact-removed",
            f"{bucket.url(key)} was removed by a policy",
            context=[f"{bucket.url(BUILDS)} says so: {CLEANUP}"],
            hint=f"fetch a newer build, or make it from the layer: bootimg build --from … -p {name}",
            exit_code=ExitCode.USAGE,
        )
    events.message(f"{bucket.url(key)} was removed by a policy and is not fetched")


def _artifact(
    folder: BuildDir, bucket: Bucket, key: str, entry: Json, missing: bool, events: Events
) -> Moved:
    path = folder.file(entry["path"])
    with events.step(f"fetch {path.name}", path.name, total=entry.get("size")) as step:
        if missing:
            scratch = folder.scratch / path.name
            bucket.download(key, scratch, Head(_size(bucket, key, entry), entry["sha256"]), step.advance)
            folder.publish(scratch, path.name)
        else:
            step.result("is here", cached=True)
    for suffix in SIGNATURES:
        _beside(folder, bucket, f"{key}{suffix}")
    return Moved(key, path.stat().st_size, missing)


def _record(folder: BuildDir, bucket: Bucket, prefix: str, events: Events) -> Iterator[Moved]:
    """Merge the bucket's bootimg.json, if it exists, into the local one, and fetch what it names."""
    where = bucket.url(f"{prefix}/{RECORD}")
    stored = bucket.read(f"{prefix}/{RECORD}", optional=True)
    if stored is None:
        return
    parse_record(stored.data, where)
    record = parse_tree(stored.data, where)
    ours = companions(folder.path)
    for key, theirs in parse_companions(record, where).items():
        here = ours.get(key)
        if here is None or here == theirs or not here.is_whole(folder.path):
            yield from _companion(folder, bucket, f"{prefix}/{theirs.path}", key, theirs, events)
            record_companion(folder.path, key, theirs)
    join_record(folder.path, record)


def _companion(
    folder: BuildDir, bucket: Bucket, where: str, key: str, found: Companion, events: Events
) -> Iterator[Moved]:
    """Fetch the file and its signatures; a missing one is a warning, because no image depends on it."""
    missing = not found.is_whole(folder.path)
    if missing and bucket.head(where, optional=True) is None:
        events.message(f"{bucket.url(where)}, the build's {TITLES[key]}, does not exist", "warning")
    else:
        yield _artifact(folder, bucket, where, found.as_dict(), missing, events)


def _size(bucket: Bucket, key: str, entry: Json) -> int:
    """The size in bytes from meta.json, or from the bucket, because the schema makes it optional."""
    if "size" in entry:
        return int(entry["size"])
    head = bucket.head(key)
    return head.size if head else 0


def _beside(folder: BuildDir, bucket: Bucket, key: str) -> None:
    """Fetch a small optional file; an identical local file stays."""
    path = folder.file(key.rpartition("/")[2])
    stored = bucket.read(key, optional=True)
    if stored is not None and not (path.is_file() and path.read_bytes() == stored.data):
        scratch = folder.scratch / path.name
        write_own(scratch, stored.data)
        folder.publish(scratch, path.name)


def _is_here(folder: BuildDir, entry: Json) -> bool:
    path = folder.file(entry["path"])
    if not path.is_file() or entry.get("size") not in (None, path.stat().st_size):
        return False
    wanted: str = entry["sha256"]
    return digest_of(path) == wanted


def _ours(folder: BuildDir) -> Json:
    """The entries of local files; a meta.json from the bucket must not change them."""
    images = folder.meta.read().get("images", {})
    return {key: entry for key, entry in images.items() if folder.has(key)}


def _check(meta: Json, folder: BuildDir, where: str) -> None:
    """Refuse a meta.json that would replace other files, or belongs to another build."""
    images, here = safe_images(meta, where), folder.meta.read()
    requested = {"buildid": folder.id, "coreos-assembler.basearch": folder.arch.value}
    require_same_build(requested, meta, where)
    require_same_build(here, meta, str(folder.path))
    # A local image under another key keeps its file.
    safe_images({"images": {**here.get("images", {}), **images}}, where)


def _resolve(index: Json, order: Sequence[str], which: str, bucket: Bucket) -> str:
    if which == LATEST and order:
        return order[0]
    if which not in order:
        how = "lists no build" if not is_tombstone(index, which) else "says that a policy has removed build"
        raise _missing(f"{bucket.url(BUILDS)} {how} {which}", ", ".join(order[:5]))
    return which


def _missing(message: str, found: str) -> BootimgError:
    return BootimgError(
        "build-not-found",
        message,
        context=[f"found: {found or 'nothing'}"],
        hint="check the URL: it names the folder that holds builds.json",
        exit_code=ExitCode.USAGE,
    )
