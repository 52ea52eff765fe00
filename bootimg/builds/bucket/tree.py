"""A builds tree in a bucket of S3, or of a server with the same protocol.

boto3 finds the credentials: environment, profiles, roles.  No secret is ever an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from bootimg.atomic import whole_file
from bootimg.builds.bucket.jsonstore import Stored
from bootimg.builds.bucket.s3client import (
    ABSENT,
    CHANGED,
    DENIED,
    NO_CONDITIONS,
    Place,
    code,
    connect,
    refusals,
    unreachable,
)
from bootimg.builds.layout import BUNDLE
from bootimg.builds.malformed import malformed_meta
from bootimg.builds.provenance.statement import MEDIA_TYPE
from bootimg.builds.signing.bundle import BUNDLE_TYPE
from bootimg.errors import BootimgError
from bootimg.sizes import MIB
from bootimg.targets import INTOTO, SPDX

# Seconds, the values of coreos-assembler's buildupload.
ARTIFACT_AGE, METADATA_AGE = 60 * 60 * 24 * 365, 60 * 5
_TYPES = {
    BUNDLE: BUNDLE_TYPE,
    INTOTO: MEDIA_TYPE,
    SPDX: "application/spdx+json",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".tar": "application/x-tar",
    ".xz": "application/x-xz",
    ".gz": "application/gzip",
    ".iso": "application/x-iso9660-image",
}
_DIGEST = "sha256"
_LIMIT = 64 * MIB
_CHUNK = MIB
_TRIES = 5
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Head:
    """An object's size in bytes, and its digest if the uploader stored one."""

    size: int
    sha256: str | None


class Bucket:
    """The objects below a prefix; keys are relative to it, as paths are to the folder of builds."""

    def __init__(self, place: Place, *, acl: str | None = None) -> None:
        self._client: Any = connect(place)
        self._place = place
        self._acl = acl

    def url(self, key: str) -> str:
        """The URL of an object, for messages."""
        return f"s3://{self._place.bucket}/{self._place.key(key)}"

    def read(self, key: str, *, optional: bool = False) -> Stored | None:
        """The content of a small object; None if it does not exist.

        A server that does not allow us to list denies access to an object that does not exist.  So an
        `optional` object counts as absent after such an answer.
        """
        from botocore.exceptions import ClientError

        with self._refusals(key):
            try:
                found = self._client.get_object(**self._at(key))
            except ClientError as error:
                if code(error) in (*ABSENT, *(DENIED if optional else ())):
                    return None
                raise
            data: bytes = found["Body"].read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise malformed_meta(self.url(key), f"has more than {_LIMIT} bytes")
        return Stored(data, str(found["ETag"]))

    def head(self, key: str, *, optional: bool = False) -> Head | None:
        """An object's metadata, without its content; None if it does not exist.

        `optional` as in `read`.
        """
        from botocore.exceptions import ClientError

        with self._refusals(key):
            try:
                found = self._client.head_object(**self._at(key))
            except ClientError as error:
                if code(error) in (*ABSENT, *(DENIED if optional else ())):
                    return None
                raise
        return Head(int(found["ContentLength"]), found.get("Metadata", {}).get(_DIGEST))

    def put(self, key: str, data: bytes, replaces: str | None) -> bool:
        """Write metadata if the object still has the tag `replaces` (None: does not exist yet).

        Returns whether it was written.  If the server does not support conditions, the object is written
        unconditionally, read back and compared.
        """
        from botocore.exceptions import ClientError

        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        request = {**self._at(key), "Body": data, **self._headers(key, METADATA_AGE)}
        request["Metadata"] = {_DIGEST: hashlib.sha256(data).hexdigest()}
        with self._refusals(key):
            try:
                self._client.put_object(**request, **condition)
                return True
            except ClientError as error:
                if code(error) in CHANGED:
                    return False
                if code(error) not in NO_CONDITIONS:
                    raise
            self._client.put_object(**request)
        there = self.read(key)
        return there is not None and there.data == data

    def upload(self, path: Path, key: str, sha256: str, age: int, advance: Advance) -> None:
        """Upload a file with its digest as metadata, so that a later push can skip it.

        `age` is the number of seconds that caches may keep it.
        """
        extra = {**self._headers(key, age), "Metadata": {_DIGEST: sha256}}
        lock = Lock()

        def count(amount: int) -> None:
            # boto3 sends parts in parallel threads.
            with lock:
                advance(amount)

        with self._refusals(key):
            self._client.upload_file(str(path), **self._at(key), ExtraArgs=extra, Callback=count)

    def digest(self, key: str) -> str:
        """The SHA-256 of an object; reads all of it."""
        sha256 = hashlib.sha256()
        for chunk in self._chunks(key):
            sha256.update(chunk)
        return sha256.hexdigest()

    def download(self, key: str, path: Path, wanted: Head, advance: Advance) -> None:
        """Write an object to a file, which gets its name only if size and digest are as `wanted`."""
        sha256, size = hashlib.sha256(), 0
        with whole_file(path, mode=0o444, need=wanted.size) as file:
            for chunk in self._chunks(key):
                size += len(chunk)
                if size > wanted.size:
                    break
                sha256.update(chunk)
                file.write(chunk)
                advance(len(chunk))
            found = Head(size, sha256.hexdigest())
            if found != wanted:
                raise self._damaged(key, wanted, found)

    def _damaged(self, key: str, wanted: Head, found: Head) -> BootimgError:
        longer = found.size > wanted.size
        return BootimgError(
            "bucket-object-damaged",
            f"{self.url(key)} does not match the build's metadata",
            context=[
                f"the metadata say {wanted.size} bytes, sha256 {wanted.sha256}",
                "it is longer" if longer else f"it has {found.size} bytes, sha256 {found.sha256}",
            ],
            hint="nothing was written; push the right file with `bootimg builds push --force`",
        )

    def _chunks(self, key: str) -> Iterator[bytes]:
        """The content; continues after a lost connection."""
        from botocore.exceptions import BotoCoreError

        done, tries_left, options = 0, _TRIES, self._at(key)
        while True:
            with self._refusals(key):
                found = self._client.get_object(**options)
            try:
                for chunk in found["Body"].iter_chunks(_CHUNK):
                    done, tries_left = done + len(chunk), _TRIES
                    yield chunk
                return
            except BotoCoreError as error:
                tries_left -= 1
                if not tries_left:
                    raise unreachable(self.url(key), str(error)) from None
            options |= {"IfMatch": str(found["ETag"])} | ({"Range": f"bytes={done}-"} if done else {})

    def _refusals(self, key: str) -> AbstractContextManager[None]:
        return refusals(self.url(key), self._place)

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._place.bucket, "Key": self._place.key(key)}

    def _headers(self, key: str, age: int) -> dict[str, Any]:
        kinds = (kind for suffix, kind in _TYPES.items() if key.endswith(suffix))
        kind = next(kinds, "application/octet-stream")
        acl = {"ACL": self._acl} if self._acl else {}
        return {"CacheControl": f"max-age={age}", "ContentType": kind, **acl}
