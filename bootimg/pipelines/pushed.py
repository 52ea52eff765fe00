"""What a bucket has of a build already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.builds.bucket.jsonstore import parse
from bootimg.builds.bucket.tree import Bucket
from bootimg.builds.index import checked_index
from bootimg.builds.layout import BUILDS, META
from bootimg.builds.names import safe_images
from bootimg.builds.record import NOTHING, RECORD, Record, parse_record
from bootimg.orchestrator.selection import Selection
from bootimg.targets import target_of_artifact


@dataclass(frozen=True, slots=True)
class PushedBuild:
    """A build in a bucket: `listed` are the architectures that builds.json has of it."""

    bucket: Bucket
    id: str
    listed: tuple[str, ...]

    def is_whole(self, arch: Arch, selection: Selection) -> bool:
        """Whether it is listed, and meta.json has what the stream's builds have.

        An artifact that the build itself had to leave out does not count.
        """
        if arch.value not in self.listed:
            return False
        folder = f"{self.id}/{arch}"
        images = safe_images(
            parse(self.bucket.read(f"{folder}/{META}"), folder), self.bucket.url(f"{folder}/{META}")
        )
        record = self._record(f"{folder}/{RECORD}")
        wanted = {*record.expected, *selection.expected} - {*_keys(record.left_out)}
        return wanted <= images.keys()

    def _record(self, key: str) -> Record:
        stored = self.bucket.read(key, optional=True)
        return NOTHING if stored is None else parse_record(stored.data, self.bucket.url(key))


def find_pushed(bucket: Bucket, build_id: str) -> PushedBuild:
    """The build of this id, which need not be there."""
    index = checked_index(parse(bucket.read(BUILDS), BUILDS), bucket.url(BUILDS))
    arches = [str(arch) for each in index["builds"] if each["id"] == build_id for arch in each["arches"]]
    return PushedBuild(bucket, build_id, tuple(arches))


def _keys(left_out: Iterable[str]) -> Iterator[str]:
    """The keys in meta.json of the artifacts that were left out."""
    for name in left_out:
        found = target_of_artifact(name)
        yield from found.listed_keys if found else (name,)
