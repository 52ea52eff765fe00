"""The tags of a build's list: set last, never to an older build, never to a list that lacks something."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from bootimg.cloud.registries.client import Manifest, Repository
from bootimg.cloud.registries.manifests import PLAIN_DIGEST
from bootimg.errors import BootimgError
from bootimg.layer.image.fetched import INDEXES, VERSION_LABEL
from bootimg.printable import printable
from bootimg.untrusted.jsonfile import find_object

_DIGEST = re.compile("sha256:[0-9a-f]{64}")
IsNewer = Callable[[str, str], bool]
"""Whether the first of two versions is newer than the second; False where they cannot be compared."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A list for the tags of the build `version`; with `grows`, other machines may add to it."""

    data: bytes
    media_type: str
    version: str
    is_newer: IsNewer
    grows: bool = False


def set_tag(repository: Repository, tag: str, wanted: Wanted) -> tuple[bool, str | None]:
    """Have a tag name the list: whether it has to be looked at again, and why it was left, if it names a
    newer build.

    It is set, or not if the list under it has just got other entries.  `registry-tag-taken` if the tag has
    the build's version in its name, and names other content.
    """
    there = repository.manifest(tag)
    if there is not None and there.data == wanted.data:
        return False, None
    version = version_in(repository, there) if there is not None else None
    if there is not None and wanted.grows and version == wanted.version and _new_places(there, wanted):
        return True, None
    if there is not None and wanted.version in tag:
        _require_grown(repository, tag, there, wanted)
    elif version is not None and wanted.is_newer(version, wanted.version):
        return False, f"{tag} names the newer build {version}"
    repository.put(tag, wanted.data, wanted.media_type)
    return True, None


def contended(repository: Repository, tag: str) -> BootimgError:
    """The error for a tag that another program sets at the same time."""
    return BootimgError(
        "registry-tag-contended",
        f"{repository.name}:{tag} is set by another program again and again",
        hint="find out who pushes there, then run the same command again",
    )


def version_in(repository: Repository, manifest: Manifest) -> str | None:
    """The version of a list or an image: its annotation, else the annotation or label of its first image."""
    tree = find_object(manifest.data) or {}
    found = _text(tree.get("annotations"), VERSION_LABEL)
    if found is not None or manifest.media_type not in INDEXES:
        return found or _label(repository, manifest.digest)
    listed = tree.get("manifests")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    digest = first.get("digest")
    child = repository.manifest(digest) if is_digest(digest) else None
    return version_in(repository, child) if child and child.media_type not in INDEXES else None


def _label(repository: Repository, digest: str) -> str | None:
    settings = (find_object(repository.config(digest)) or {}).get("config")
    labels = settings.get("Labels") if isinstance(settings, dict) else None
    return _text(labels, VERSION_LABEL) or _text(labels, "version")


def _text(tree: Any, key: str) -> str | None:  # noqa: ANN401
    value = tree.get(key) if isinstance(tree, dict) else None
    return value if isinstance(value, str) else None


def _require_grown(repository: Repository, tag: str, there: Manifest, wanted: Wanted) -> None:
    """A tag of one version may get more images, and disks compressed in another way, but no other ones."""
    missing = _content(there.data) - _content(wanted.data)
    if there.media_type in INDEXES and not missing:
        return
    raise BootimgError(
        "registry-tag-taken",
        f"{repository.name}:{tag} names other content than this build's",
        context=[f"it is {there.digest}", *(printable(" ".join(each))[:200] for each in sorted(missing)[:5])],
        hint="the build was made again under the same id: give it another one, or delete the tag",
    )


def _new_places(there: Manifest, wanted: Wanted) -> bool:
    """Whether the list under the tag has architectures or platforms that the wanted one lacks."""
    known = {key[:2] for key in _content(wanted.data)}
    return any(key[:2] not in known for key in _content(there.data))


def _content(data: bytes) -> set[tuple[str, str, str]]:
    """Architecture, system or platform, and content of what a list has."""
    return {key for key, _ in entries_in(data)}


def is_digest(value: object) -> TypeGuard[str]:
    """Whether it is a digest, and not another word that would lead elsewhere in the registry."""
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))


def entries_in(data: bytes) -> list[tuple[tuple[str, str, str], Mapping[str, Any]]]:
    """The descriptors of a list, by architecture, system or platform, and digest of the plain content."""
    listed = (find_object(data) or {}).get("manifests")
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [(_key(each), each) for each in found]


def place_of(descriptor: Mapping[str, Any]) -> tuple[str, str]:
    """Architecture, and system or platform, of a descriptor."""
    platform = descriptor.get("platform")
    return _text(platform, "architecture") or "", _text(platform, "os") or ""


def _key(descriptor: Mapping[str, Any]) -> tuple[str, str, str]:
    content = _text(descriptor.get("annotations"), PLAIN_DIGEST) or str(descriptor.get("digest"))
    return (*place_of(descriptor), content)
