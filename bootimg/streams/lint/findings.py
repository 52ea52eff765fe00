"""The findings of lint, and its options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from bootimg.platform import Platform
from bootimg.streams.metadata.sources import BuildSource
from bootimg.streams.metadata.stream import Stream


class Level(StrEnum):
    """The severity.  A note is a fault that shipped installers have: an error only with `strict`."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class StreamFinding:
    """One fault: the rule's name, the place in the stream, and a message."""

    rule: str
    place: str
    message: str
    level: Level = Level.ERROR

    def as_dict(self) -> dict[str, str]:
        """The finding as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a stream is checked against.

    `previous` is the older stream, `name` the stream's name.  `expected` platforms must exist for all their
    architectures.  `base` is the URL of all files, `builds` the source of the builds.  `signatures` requires
    signatures, `mixed` allows several releases, `download` reads every file.  `strict` turns notes into
    errors.
    """

    previous: Stream | None = None
    name: str | None = None
    expected: Sequence[Platform] = ()
    base: str | None = None
    builds: BuildSource | None = None
    signatures: bool = False
    mixed: bool = False
    download: bool = False
    strict: bool = False
