"""Checks a stream against all rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bootimg.streams.lint.comparerules import lost_things
from bootimg.streams.lint.contentrules import content_findings
from bootimg.streams.lint.filerules import file_findings
from bootimg.streams.lint.findings import Against, Level, StreamFinding
from bootimg.streams.lint.imagerules import image_findings
from bootimg.streams.lint.sources import Builds
from bootimg.streams.lint.urlrules import url_findings
from bootimg.streams.metadata.stream import Stream


def lint(
    stream: Stream, against: Against, tell: Callable[[str], None] = lambda _: None
) -> Sequence[StreamFinding]:
    """All distinct findings; `tell` gets the URL of each file before it is downloaded."""
    found = dict.fromkeys(_findings(stream, against, tell))
    return [
        replace(each, level=Level.ERROR) if against.strict and each.level is Level.NOTE else each
        for each in found
    ]


def _findings(stream: Stream, against: Against, tell: Callable[[str], None]) -> Iterator[StreamFinding]:
    yield from content_findings(stream, against)
    yield from url_findings(stream, against)
    if against.previous is not None:
        yield from lost_things(against.previous, stream)
    builds = Builds(against.builds)
    yield from file_findings(stream, against, builds, tell)
    yield from image_findings(stream, builds)
