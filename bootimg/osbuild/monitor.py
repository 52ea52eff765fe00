"""Reading the output of osbuild's JSONSeqMonitor.

A record is an ASCII record separator, a JSON object and a newline (RFC 7464).  All of its members are
optional: `message` (of osbuild, or the output of a stage), `context` (the record's pipeline and stage; an
object with only `id` refers to an earlier one), `progress` (finished pipelines and sources, and within it
the stages of the pipeline) and `result` (a stage or source that ended).
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
    """How a stage or source ended; `output` is its log, without its beginning if the log is long."""

    name: str
    success: bool
    output: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `done` and `total` count the pipeline's stages, and are 0 if the record has no counts."""

    message: str
    pipeline: str
    stage: str
    done: int
    total: int
    result: Result | None

    @property
    def is_source(self) -> bool:
        """Whether the record is about a source to fetch and not about a pipeline."""
        return self.pipeline.startswith(_SOURCE)


def read_records(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of a monitor's output; other lines are skipped.

    The records serve to show progress and to explain a failure.  osbuild's exit code and the files that it
    exported decide whether the build succeeded.
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
    """A stage reports its failure in `output`, a source in the `error` of an item."""
    words = [_text(result, "output"), *(_text(item, "error") for item in result.objects("results"))]
    success = bool(result.take("success", bool))
    return Result(_text(result, "name"), success, "\n".join(filter(None, words)))


def _text(fields: Fields, key: str) -> str:
    return fields.take(key, str) or ""
