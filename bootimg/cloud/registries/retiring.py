"""Deletes a build's manifests from a registry: what is gone is done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from bootimg.cloud.registries.client import Manifest, Repository
from bootimg.cloud.registries.manifests import fallback_tag
from bootimg.cloud.registries.records import MORE
from bootimg.cloud.registries.referrers import referrers_of
from bootimg.cloud.registries.tags import entries_in, version_in
from bootimg.errors import BootimgError
from bootimg.layer.image.fetched import INDEXES
from bootimg.untrusted.jsonfile import find_object

Image = Mapping[str, Any]
_LIST = "manifest-list-digest"


def recorded_images(entry: Image) -> list[Image]:
    """The pushes that an entry of meta.json records: the first one, and the further ones."""
    more = entry.get(MORE)
    further = more if isinstance(more, list) else []
    return [
        entry,
        *(each for each in further if isinstance(each, dict) and isinstance(each.get("image"), str)),
    ]


def image_names(image: Image) -> list[str]:
    """What a recorded push has in the registry, as `REPOSITORY@DIGEST`."""
    return [f"{image['image']}@{each}" for each in (*_texts(image, _LIST), *_texts(image, "digest"))]


def retire_images(
    repository: Repository, version: str, images: Sequence[Image], shared: Collection[str] = ()
) -> int:
    """Delete a build's pushes to a repository, with what refers to them; how many manifests were there.

    `images` are its records, `shared` the `image_names` that stay.  `registry-image-in-use` if one of the
    recorded tags that move from build to build still names the build, before anything is deleted.
    """
    tags = {each for image in images for each in _tags(image)}
    pinned = sorted(each for each in tags if version in each)
    stays = {each.rpartition("@")[2] for each in shared if each.rpartition("@")[0] == repository.name}
    lists = [each for image in images for each in _texts(image, _LIST)]
    lists += [each for tag in pinned for each in _list_under(repository, tag, version)]
    found = [each for image in images for each in _texts(image, "digest")]
    doomed = [each for each in dict.fromkeys([*lists, *found]) if each not in stays]
    for tag in sorted(tags.difference(pinned)):
        _require_left(repository, tag, {*doomed})
    # A list goes first: it must not name images that are gone.  What refers to an image goes before the list
    # that alone says so.
    listed, alone = ([each for each in doomed if (each in lists) is which] for which in (True, False))
    referring = [each for image in alone for each in _referring(repository, image)]
    return sum(_delete(repository, digest) for digest in dict.fromkeys([*listed, *referring, *alone]))


def _texts(image: Image, key: str) -> list[str]:
    return [value] if isinstance(value := image.get(key), str) else []


def _tags(image: Image) -> list[str]:
    tags = image.get("tags")
    return [each for each in tags if isinstance(each, str)] if isinstance(tags, list) else []


def _list_under(repository: Repository, tag: str, version: str) -> Iterator[str]:
    """The list of this version under a tag of its own: another machine may have added to the recorded one."""
    there = repository.manifest(tag)
    if there is not None and there.media_type in INDEXES and version_in(repository, there) == version:
        yield there.digest


def _require_left(repository: Repository, tag: str, doomed: Collection[str]) -> None:
    there = repository.manifest(tag)
    if there is not None and not _contents(there).isdisjoint(doomed):
        raise BootimgError(
            "registry-image-in-use",
            f"{repository.name}:{tag} still names the build that is to be deleted",
            context=[there.digest],
            hint="push a newer build to the tag first, or delete the tag in the registry",
        )


def _contents(manifest: Manifest) -> set[str]:
    """A manifest's digest and those that it lists."""
    return {manifest.digest, *(str(each.get("digest")) for _, each in entries_in(manifest.data))}


def _referring(repository: Repository, digest: str) -> list[str]:
    """The manifests that refer to an image, and last the list of them."""
    found = [str(each["digest"]) for each in referrers_of(repository, digest)]
    fallback = repository.manifest(fallback_tag(digest))
    own = [each for each in found if _refers(repository.manifest(each), digest)]
    return own if fallback is None else [*own, fallback.digest]


def _refers(manifest: Manifest | None, digest: str) -> bool:
    subject = (find_object(manifest.data) or {}).get("subject") if manifest is not None else None
    return isinstance(subject, dict) and subject.get("digest") == digest


def _delete(repository: Repository, digest: str) -> bool:
    return repository.has(digest) and repository.delete(digest)
