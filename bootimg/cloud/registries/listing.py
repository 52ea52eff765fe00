"""The list of a push, and its tags."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from bootimg.cache import Cache
from bootimg.cloud.registries.client import Repository
from bootimg.cloud.registries.manifests import Listed, as_json, build_list
from bootimg.cloud.registries.push import InList, Push
from bootimg.cloud.registries.tags import Wanted, contended, entries_in, place_of, set_tag, version_in
from bootimg.cloud.task import Done, Means
from bootimg.layer.image.fetched import DOCKER_LIST, OCI_INDEX, digest_of

_ROUNDS = 5
_MOMENT = 1.0
Left = dict[str, str]


def set_tags(push: Push, means: Means, listed: Mapping[str, Listed], cache: Cache) -> Done:
    """Make the list of what was pushed, by name, and have the tags name it."""
    repository = push.repository.at(means)
    # The name of a repository may be longer than a file's.
    lock = hashlib.sha256(repository.name.encode()).hexdigest()
    with cache.locked(f"registry-{lock}", means.events):
        digest, changed, left = _settle(push, repository, list(listed.values()))
    tags = tuple(tag for tag in (*push.pinned, *push.moving) if tag not in left)
    if not means.calls.dry_run:
        for name, each in listed.items():
            push.done(name, InList(each.digest, digest, tags))
    named = f"{digest}, tags {', '.join(tags) or 'none'}"
    return Done("; ".join((named, *left.values())), cached=not changed)


def _settle(push: Push, repository: Repository, listed: Sequence[Listed]) -> tuple[str, bool, Left]:
    """The list's digest, whether anything was changed, and why tags were left, by tag.

    A push ends when a look at the tags, a moment after the last change, finds nothing to do: another machine
    may have set them meanwhile, and the registry has no conditional write.
    """
    for count in range(_ROUNDS):
        data = _list(push, repository, listed)
        again, left = _store(push, repository, data)
        if not again or repository.means.calls.dry_run:
            for why in left.values():
                repository.means.events.message(f"{repository.name}: {why}; it stays", "warning")
            return digest_of(data), again or count > 0, left
        # Not in step with a machine that does the same.
        repository.means.stop.wait(random.uniform(_MOMENT / 2, _MOMENT))
    raise contended(repository, ", ".join((*push.pinned, *push.moving)))


def _store(push: Push, repository: Repository, data: bytes) -> tuple[bool, Left]:
    """Whether the tags have to be looked at again, and why a tag was left, by tag."""
    media_type, left, again = DOCKER_LIST if push.docker else OCI_INDEX, {}, False
    wanted = Wanted(data, media_type, push.version, push.is_newer, push.grows)
    if not (push.pinned or push.moving) and not repository.has(digest_of(data)):
        repository.put(digest_of(data), data, media_type)
        again = True
    # Those of this version come first: then nobody finds a newer list under the moving tag alone.
    for tag in (*push.pinned, *push.moving):
        moved, why = set_tag(repository, tag, wanted)
        again |= moved
        if why is not None:
            left[tag] = why
    return again, left


def _list(push: Push, repository: Repository, listed: Sequence[Listed]) -> bytes:
    data = build_list(listed, push.annotations, docker=push.docker)
    own = {(each.arch, each.os) for each in listed}
    kept = [each for place, each in _before(push, repository).items() if place not in own]
    return _with(data, kept) if kept else data


def _before(push: Push, repository: Repository) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What is to stay of the lists of this very build under the tags, by architecture and platform."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for tag in (*push.pinned, *push.moving) if push.grows else ():
        there = repository.manifest(tag)
        if there is not None and version_in(repository, there) == push.version:
            for key, each in entries_in(there.data):
                found.setdefault(key[:2], each)
    return found


def _with(data: bytes, kept: Sequence[Mapping[str, Any]]) -> bytes:
    """The list with further descriptors, in the order of all lists."""
    document = json.loads(data)
    every = [*document["manifests"], *kept]
    return as_json({**document, "manifests": sorted(every, key=place_of)})
