"""What a push to one repository is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bootimg.cloud.registries.client import Repository
from bootimg.cloud.registries.copying import Pushed
from bootimg.cloud.registries.tags import IsNewer

Open = Callable[[], AbstractContextManager[Pushed]]


@dataclass(frozen=True, slots=True)
class InList:
    """What was pushed: the digest of an image's manifest, of the list, and the tags that name the list."""

    digest: str
    list_digest: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What belongs into a repository.

    `images` open what is pushed, by name.  `missing` are architectures of the build that are not here.
    `pinned` are tags of this version alone, `moving` those that go from build to build.  With `grows`, what
    the list of this version already has stays in it.  `pushed` is told of an image that is in the registry,
    `done` of each image when the tags are set.
    """

    repository: Repository
    version: str
    images: Mapping[str, Open]
    missing: Sequence[str]
    pinned: Sequence[str]
    moving: Sequence[str]
    annotations: Mapping[str, str]
    is_newer: IsNewer
    docker: bool = False
    grows: bool = False
    pushed: Callable[[str, str], None] = lambda name, digest: None
    done: Callable[[str, InList], None] = lambda name, found: None
