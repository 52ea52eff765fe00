"""A file, sent in parts to an upload that a store keeps open; an interrupted one continues."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bootimg.cloud.calls import Call
from bootimg.cloud.content import Part, even_parts
from bootimg.cloud.parts import send_parts, unsent
from bootimg.cloud.task import Means
from bootimg.sizes import MIB, align_up

_MOST_PARTS = 10_000
_STEP = "object"


class PartStore(Protocol):
    """An object of a store that takes it in parts; `call` is how the call for a part is listed."""

    @property
    def place(self) -> str:
        """The place of the object, such as a region."""

    @property
    def address(self) -> str:
        """The object's URL."""

    def is_open(self, upload: str) -> bool:
        """Whether the store still has the upload."""

    def start(self) -> str:
        """Open an upload, and return its id."""

    def call(self, upload: str) -> Call:
        """The call that sends a part."""

    def send(self, upload: str, part: Part, data: bytes) -> str:
        """Send a part, and return what `complete` needs of it."""

    def complete(self, upload: str, parts: Sequence[Part], receipts: Mapping[int, str]) -> None:
        """Make the object of the parts; in a dry run there are no receipts."""


def send_file(means: Means, store: PartStore, path: Path, sha256: str, *, part: int) -> None:
    """Make the object of the file with the digest `sha256`, in parts of at least `part` bytes.

    There are at most 10000 parts, the limit of all stores that follow S3.
    """
    size, journal, subject = path.stat().st_size, means.journal, f"{store.address} {sha256}"
    length = max(part, align_up(-(-size // _MOST_PARTS), MIB) if size > part * _MOST_PARTS else 0)
    parts = list(even_parts(size, length))
    record = journal.last(_STEP, subject)
    upload = str(record.get("upload", ""))
    # Parts of another length have other numbers.
    same = record.get("state") == "begun" and record.get("length") == length
    if not (same and upload and store.is_open(upload)):
        upload = store.start()
        if not means.calls.dry_run:
            journal.note(_STEP, "begun", subject, upload=upload, length=length)
    receipts = _send(means, store, path, upload, parts)
    store.complete(upload, parts, receipts)
    if not means.calls.dry_run:
        journal.note(_STEP, "done", subject)


def _send(means: Means, store: PartStore, path: Path, upload: str, parts: Sequence[Part]) -> dict[int, str]:
    rest = unsent(parts, upload, means.journal)
    times = len(parts) - len(means.journal.parts(upload))
    call = replace(store.call(upload), times=times, note=f"{rest} bytes")

    def send() -> dict[int, str]:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with means.events.step(store.place, f"{path.name} to {store.address}", total=rest) as step:
                return send_parts(
                    parts, lambda part: store.send(upload, part, os.pread(fd, part.length, part.offset)),
                    of=upload, journal=means.journal, workers=means.workers, step=step, stop=means.stop,
                )  # fmt: skip
        finally:
            os.close(fd)

    return means.calls.make(call, send, {})
