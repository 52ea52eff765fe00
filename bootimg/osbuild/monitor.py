"""What osbuild's JSONSeqMonitor says while it builds.

A record is an ASCII record separator, a JSON object and a newline (RFC 7464).  All of its members are
optional: `message` (of osbuild, or the words of a stage), `context` (the pipeline and stage it is
about; an object with nothing but `id` stands for one that came before), `progress` (pipelines and sources
done, and within it the stages of the pipeline) and `result` (a stage or source that ended).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.node import Fields
from bootimg.untrusted.tree import Malformed

_SEPARATOR = b"\x1e"
_SOURCE = "source "


@dataclass(frozen=True, slots=True)
class Result:
    """How a stage or source ended; `output` is its log, the first of it cut off where it is long."""

    name: str
    success: bool
    output: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `done` and `total` count the pipeline's stages, and are 0 where nothing is said."""

    message: str
    pipeline: str
    stage: str
    done: int
    total: int
    result: Result | None

    @property
    def is_source(self) -> bool:
        """Whether it is about what is fetched and not about a pipeline."""
        return self.pipeline.startswith(_SOURCE)


def read_records(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of a monitor's output; a line that is none is passed over.

    What the monitor says is for showing progress and for finding the words of a failure.  Whether
    the build is good is told by osbuild's exit code and by the files it has exported.
    """
    contexts: dict[str, Fields] = {}
    for line in lines:
        try:
            document = parse_object(line.removeprefix(_SEPARATOR))
            record = _record(document, _context(document, contexts))
        except Malformed:
            continue
        yield record


def _context(document: Fields, contexts: dict[str, Fields]) -> Fields:
    context = document.nested("context")
    identity = _text(context, "id")
    if context.is_absent("pipeline"):
        return contexts.get(identity, context)
    return contexts.setdefault(identity, context)


def _record(document: Fields, context: Fields) -> Record:
    pipeline = context.nested("pipeline")
    stages = document.nested("progress").nested("progress")
    return Record(
        _text(document, "message"),
        _text(pipeline, "name"),
        _text(pipeline.nested("stage"), "name"),
        stages.number("done") or 0,
        stages.number("total") or 0,
        None if document.is_absent("result") else _result(document.nested("result")),
    )


def _result(result: Fields) -> Result:
    """A stage says why it failed in its `output`, a source in the `error` of an item."""
    words = [_text(result, "output"), *(_text(item, "error") for item in result.objects("results"))]
    success = bool(result.take("success", bool))
    return Result(_text(result, "name"), success, "\n".join(filter(None, words)))


def _text(fields: Fields, key: str) -> str:
    return fields.take(key, str) or ""
