"""What refers to an artifact, listed under the fallback tag where the registry does not list it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bootimg.cache import Cache
from bootimg.cloud.registries.client import Repository
from bootimg.cloud.registries.copying import Pushed, copy_image
from bootimg.cloud.registries.manifests import fallback_tag, referrers_list
from bootimg.cloud.registries.tags import contended, entries_in, is_digest
from bootimg.layer.image.fetched import OCI_INDEX

_TRIES = 4


def push_attached(pushed: Pushed, repository: Repository, cache: Cache) -> bool:
    """Push what refers to a manifest, and list it; whether anything was missing."""
    sent = [copy_image(each, repository, cache) for each in pushed.attached]
    if not pushed.attached or repository.listed_referrers(pushed.listed.digest) is not None:
        return any(sent)
    tag, wanted = fallback_tag(pushed.listed.digest), [_descriptor(each) for each in pushed.attached]
    for count in range(_TRIES):
        before = listed_referrers(repository, tag)
        known = {each["digest"] for each in before}
        missing = [each for each in wanted if each["digest"] not in known]
        if not missing:
            return bool(count) or any(sent)
        repository.put(tag, referrers_list([*before, *missing]), OCI_INDEX)
        if repository.means.calls.dry_run:
            return True
    # Another machine may have listed other ones meanwhile, so each list is read back.
    raise contended(repository, tag)


def referrers_of(repository: Repository, digest: str) -> Sequence[Mapping[str, Any]]:
    """The descriptors of what refers to a manifest: those of the registry's API, and of the fallback tag."""
    entries = [
        *(repository.listed_referrers(digest) or ()),
        *listed_referrers(repository, fallback_tag(digest)),
    ]
    return list({str(each["digest"]): each for each in entries if is_digest(each.get("digest"))}.values())


def listed_referrers(repository: Repository, tag: str) -> Sequence[dict[str, Any]]:
    """The descriptors under a fallback tag; none if there is no such list."""
    found = repository.manifest(tag)
    listed = entries_in(found.data) if found is not None else []
    return [dict(each) for _, each in listed if is_digest(each.get("digest"))]


def _descriptor(pushed: Pushed) -> dict[str, Any]:
    """The specification's: without a platform, with the artifact's type and annotations."""
    found = pushed.listed.descriptor()
    del found["platform"]
    return found
