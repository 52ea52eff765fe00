"""A JSON file that a command of `bootimg stream` updates: a file, or an object in a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bootimg.builds.bucket.jsonstore import Store, Stored

S3 = "s3://"


@dataclass(frozen=True, slots=True)
class _Folder:
    """A store of files in a folder; it assumes that no other process writes them."""

    path: Path

    def read(self, key: str) -> Stored | None:
        from bootimg.builds.bucket.jsonstore import Stored
        from bootimg.streams.metadata.stream import read_file

        file = self.path / key
        return Stored(read_file(file), "") if file.exists() else None

    def put(self, key: str, data: bytes, replaces: str | None) -> bool:
        from bootimg.atomic import write_whole

        write_whole(self.path / key, data)
        return True


def store_of(target: str, endpoint: str | None, acl: str | None) -> tuple[Store, str]:
    """The store that has the file, and the file's key in it."""
    if not target.startswith(S3):
        return _Folder(Path(target).parent), Path(target).name
    from bootimg.builds.bucket.s3client import parse_place
    from bootimg.builds.bucket.tree import Bucket

    folder, _, name = target.rpartition("/")
    return Bucket(parse_place(folder, endpoint=endpoint), acl=acl), name
