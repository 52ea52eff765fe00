"""Receives a disk in one pass: received, digested, decompressed to be digested, written.

The file appears when all digests are right.  What arrived before an interruption is digested again, not
received again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from bootimg.cloud.registries.blobrest import BlobSource
from bootimg.cloud.registries.diskartifact import Choice, DiskArtifact
from bootimg.cloud.registries.diskrefusals import damaged
from bootimg.cloud.registries.partfile import part_file
from bootimg.cloud.retry import TransientError
from bootimg.disk.extents import is_zero
from bootimg.errors import BootimgError
from bootimg.events import Step
from bootimg.formats import Compressor, Written
from bootimg.formats.compression.decompress import PlainReader
from bootimg.jobs import Stop
from bootimg.layer.fetching.imageproxy import ImageProxy, image_proxy
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.layer.image.blobs import CHUNK
from bootimg.layer.image.fetched import Blob
from bootimg.untrusted.budget import Budget
from bootimg.vm.diskimage import refuse_references

_PASSING = ("registry-failed", "registry-unreachable", "program-timeout")


@dataclass(frozen=True, slots=True)
class Transfer:
    """A disk to receive; `reference` is for messages, `pinned` names its manifest."""

    reference: str
    pinned: str
    disk: DiskArtifact
    choice: Choice
    options: RegistryOptions
    source: BlobSource
    stop: Stop


class Received(PlainReader):
    """Reads what a registry sends instead of a file; `path` is for messages."""

    def __init__(self, path: Path, compressor: Compressor, chunks: Iterator[bytes]) -> None:
        super().__init__(path, plain=True)
        self.compressor, self._received = compressor, chunks

    def _chunks(self) -> Iterator[bytes]:
        for chunk in self._received:
            self._packed.update(chunk)
            self._size += len(chunk)
            yield chunk


def receive(transfer: Transfer, path: Path, step: Step) -> None:
    """Write the disk to a path.

    Raises `TransientError`, `disk-artifact-damaged` and the errors of `image_proxy` and `refuse_references`.
    """
    disk = transfer.disk
    step.advance(-step.done)
    with passing_failures(), image_proxy(transfer.pinned, transfer.options) as proxy, \
            part_file(path, disk.digest, disk.size) as part:  # fmt: skip
        there = _there(part, disk.size)
        chunks = chain(_part(part, there), _fetched(transfer, proxy, part, there))
        try:
            with Received(path, disk.compressor, _bounded(transfer, chunks, step)) as reader:
                _read_plain(transfer, reader)
                _require(transfer, reader.written())
        except BootimgError as error:
            if error.id != "disk-artifact-damaged" or not there:
                raise
            # Not the registry's fault, perhaps: a machine that lost power has files with holes.
            part.truncate(0)
            raise TransientError(f"the part that was there is not used: {error.message}") from None
    if disk.compressor is Compressor.NONE:
        try:
            refuse_references(path)
        except BootimgError:
            path.unlink()
            raise


def _read_plain(transfer: Transfer, reader: PlainReader) -> None:
    disk, size = transfer.disk, 0
    most, budget = disk.plain_size or transfer.choice.limit, Budget(transfer.choice.limits)
    budget.pack(disk.size, transfer.reference)
    try:
        for data in reader:
            size += len(data)
            if disk.compressor is not Compressor.NONE and size > most:
                what = "the size of the uncompressed disk"
                raise damaged(transfer.reference, what, f"more than {most} bytes")
            if disk.compressor is not Compressor.NONE:
                charge = budget.hole if is_zero(data) else budget.unpack
                charge(len(data), transfer.reference)
    except BootimgError as error:
        if error.id != "compressed-file-damaged":
            raise
        raise damaged(transfer.reference, f"the disk {disk.digest}", error.message) from None


def _require(transfer: Transfer, found: Written) -> None:
    disk, reference = transfer.disk, transfer.reference
    if f"sha256:{found.sha256}" != disk.digest or found.size != disk.size:
        raise damaged(reference, f"the disk {disk.digest}", f"sha256:{found.sha256}, {found.size} bytes")
    if found.uncompressed_sha256 is None:
        plain, size = found.sha256, found.size
    else:
        plain, size = found.uncompressed_sha256, found.uncompressed_size or 0
    if disk.plain_digest not in ("", f"sha256:{plain}") or disk.plain_size not in (None, size):
        what = f"sha256:{plain}, {size} bytes"
        raise damaged(reference, f"the uncompressed disk {disk.plain_digest}", what)


def _there(part: BinaryIO, size: int) -> int:
    """How many bytes the part has; one that is too long is no part."""
    there = part.seek(0, os.SEEK_END)
    if there > size:
        part.truncate(0)
        return 0
    return there


def _part(part: BinaryIO, there: int) -> Iterator[bytes]:
    part.seek(0)
    while there and (chunk := part.read(min(CHUNK, there))):
        there -= len(chunk)
        yield chunk


def _fetched(transfer: Transfer, proxy: ImageProxy, part: BinaryIO, there: int) -> Iterator[bytes]:
    """What is received, written as it comes; nothing more than was announced."""
    disk, done = transfer.disk, there
    blob = Blob(disk.digest, disk.size, "", "")
    for chunk in transfer.source.chunks(proxy, blob, there) if there < disk.size else ():
        done += len(chunk)
        if done <= disk.size:
            part.write(chunk)
        yield chunk
    if done < disk.size:
        raise TransientError(f"the connection was lost after {done} of {disk.size} bytes")


def _bounded(transfer: Transfer, chunks: Iterator[bytes], step: Step) -> Iterator[bytes]:
    """The chunks; more than was announced is refused at once."""
    disk, done = transfer.disk, 0
    for chunk in chunks:
        transfer.stop.check()
        done += len(chunk)
        if done > disk.size:
            raise damaged(transfer.reference, f"the disk {disk.digest}", f"more than {disk.size} bytes")
        step.advance(len(chunk))
        yield chunk


@contextmanager
def passing_failures() -> Iterator[None]:
    """Turns skopeo's passing failures in the body into `TransientError`."""
    try:
        yield
    except BootimgError as error:
        said = next(iter(error.context), error.message)
        if error.id not in _PASSING or "no such host" in said:
            raise
        raise TransientError(said) from None
