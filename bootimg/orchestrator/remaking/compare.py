"""Compares an artifact of a build with one that was made again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from bootimg.builds.find import Build, digest_of
from bootimg.builds.layout import META
from bootimg.errors import BootimgError
from bootimg.events import Events, Step
from bootimg.formats.compression.decompress import PlainReader
from bootimg.formats.output import Written
from bootimg.orchestrator.remaking.difference import describe_difference
from bootimg.orchestrator.request import Artifact


class Compared(StrEnum):
    """What of an artifact was compared.

    The content is compared if the files differ: compressors of other versions write other bytes.  The digest
    in meta.json is compared if the build's folder does not have the file.
    """

    FILE = "file"
    CONTENT = "uncompressed content"
    DIGEST = f"digest in {META}"


@dataclass(frozen=True, slots=True)
class Remade:
    """An artifact that was made again; `difference` is None if it is equal."""

    key: str
    compared: Compared
    difference: str | None = None

    def because(self, reason: str | None) -> Remade:
        """The same with a reason for the difference, if there is one."""
        if self.difference is None or reason is None:
            return self
        return replace(self, difference=f"{self.difference}; {reason}")

    def as_dict(self) -> dict[str, Any]:
        """The artifact as `verify --json` prints it."""
        return {"key": self.key, "compared": str(self.compared), "equal": self.difference is None}


def compare(build: Build, ours: Artifact, scratch: Path, events: Events) -> Remade:
    """Compare an artifact of a build with `ours`; `scratch` is for uncompressed images.

    A compressed artifact that is damaged differs.
    """
    key, theirs = ours.key, build.path / str(build.images[ours.key]["path"])
    if not theirs.is_file():
        return _by_digest(build, ours)
    with events.step(key, f"comparing {theirs.name}", total=theirs.stat().st_size) as step:
        # Not uncompressed: an initramfs begins as a compressed file does, and other data follows.
        if digest_of(theirs) == ours.sha256:
            return Remade(key, Compared.FILE)
        try:
            found, again = _read(theirs, step), _read(ours.path)
        except BootimgError as error:
            if error.id != "compressed-file-damaged":
                raise
            return Remade(key, Compared.FILE, error.message)
        packed = found.uncompressed_sha256 or again.uncompressed_sha256
        compared = Compared.CONTENT if packed else Compared.FILE
        if packed and _content(found) == _content(again):
            return Remade(key, compared)
        return Remade(key, compared, describe_difference(theirs, ours.path, scratch))


def _by_digest(build: Build, ours: Artifact) -> Remade:
    entry = build.images[ours.key]
    equal = ours.sha256 in (entry["sha256"], entry.get("uncompressed-sha256"))
    return Remade(ours.key, Compared.DIGEST, None if equal else f"made again, its sha256 is {ours.sha256}")


def _content(file: Written) -> str:
    return file.uncompressed_sha256 or file.sha256


def _read(path: Path, step: Step | None = None) -> Written:
    with PlainReader(path) as reader:
        before = 0
        for _ in reader:
            if step is not None:
                step.advance(reader.position - before)
            before = reader.position
        return reader.written()
