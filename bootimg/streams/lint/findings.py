"""What lint finds, and what it is told to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from bootimg.platform import Platform
from bootimg.streams.metadata.sources import BuildSource
from bootimg.streams.metadata.stream import Stream


class Level(StrEnum):
    """How bad it is.  A note is about what installers have shipped: it is an error for `strict` alone."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class StreamFinding:
    """One thing that is wrong: the rule's name, where in the stream, and what."""

    rule: str
    place: str
    message: str
    level: Level = Level.ERROR

    def as_dict(self) -> dict[str, str]:
        """The finding as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a stream is held against.

    `previous` is the file before, `name` the stream's name, `expected` platforms that must be there for the
    architectures they exist for, `base` where files must be published, `builds` where to find what was
    built.  `signatures` demands them, `mixed` allows several releases, `download` reads every file.
    `strict` makes errors of notes.
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
