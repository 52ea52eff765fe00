"""Container images that several builds have: two builds of one layer have the very same manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bootimg.browse.tree import ArchBuild, ListedBuild
from bootimg.builds.layout import META
from bootimg.builds.policy import cleanup_of
from bootimg.cloud.registries.retiring import image_names, recorded_images
from bootimg.errors import BootimgError
from bootimg.orchestrator.retiring.deleting import left_of
from bootimg.orchestrator.retiring.policyfile import Action
from bootimg.orchestrator.retiring.uploads import Recorded, recorded_containers


class Sharing:
    """The containers of all builds of a tree that are not gone according to builds.json, `index`."""

    def __init__(self, tree: Sequence[ListedBuild], index: Mapping[str, Any]) -> None:
        self._arches: dict[str, list[ArchBuild]] = {}
        for build in tree:
            if not cleanup_of(dict(index), build.id).get(Action.CONTAINERS):
                for arch in build.arches:
                    for name in _names(_containers(arch)):
                        self._arches.setdefault(name, []).append(arch)

    def of(self, build_id: str) -> frozenset[str]:
        """The containers of a build that another build has too, as `REPOSITORY@DIGEST`."""
        return frozenset(
            name
            for name, arches in self._arches.items()
            if any(each.id == build_id for each in arches)
            and any(name in self._left(each) for each in arches if each.id != build_id)
        )

    def _left(self, arch: ArchBuild) -> set[str]:
        """The containers that are not gone according to the journals beside the build."""
        records = _containers(arch)
        left = left_of(arch.folder, records)
        return {name for record in records for name in _names([record]) if left.get(record.upload.meta_key)}


def _containers(arch: ArchBuild) -> list[Recorded]:
    try:
        return recorded_containers(arch.meta, str(arch.folder / META))
    except BootimgError:
        # This build stops when it is its turn.
        return []


def _names(records: Sequence[Recorded]) -> Iterator[str]:
    for record in records:
        for entry in record.entries:
            yield from (name for image in recorded_images(entry) for name in image_names(image))
