"""What is uploaded: a platform's disk, and the artifact that has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bootimg.disk.extents import Source
from bootimg.formats.allocation import used_blocks


class Content(Protocol):
    """The disk of one platform of one build."""

    @property
    def sha256(self) -> str:
        """The digest of the uncompressed artifact in meta.json: it identifies the content in the cloud."""

    @property
    def name(self) -> str:
        """The file name of the uncompressed artifact."""

    def disk(self) -> AbstractContextManager[Source]:
        """The raw disk; its digest was checked, or it is what the artifact was written from."""

    def file(self) -> AbstractContextManager[Path]:
        """The uncompressed artifact, whose digest was checked."""

    def artifact(self) -> AbstractContextManager[Source]:
        """The bytes of the uncompressed artifact; its digest was checked."""


@dataclass(frozen=True, slots=True)
class Part:
    """`length` bytes from `offset` on, sent in one call under its number."""

    number: int
    offset: int
    length: int


def used_parts(source: Source, block: int) -> Iterator[Part]:
    """The blocks of a disk that are not all zeros; the last block may be short."""
    for index in used_blocks(source, block):
        offset = index * block
        yield Part(index, offset, min(block, source.size - offset))


def even_parts(size: int, length: int) -> Iterator[Part]:
    """A file in parts of `length` bytes, numbered from 1."""
    for number, offset in enumerate(range(0, size, length), 1):
        yield Part(number, offset, min(length, size - offset))
