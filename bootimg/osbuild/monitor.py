"""Reading the output of osbuild's JSONSeqMonitor.

A record is an ASCII record separator, a JSON object and a newline (RFC 7464).  All of its members are
optional: `message` (of osbuild, or the output of a stage), `context` (the record's pipeline and stage; an
object with only `id` refers to an earlier one), `progress` (finished pipelines and sources, and within it
the stages of the pipeline) and `result` (a stage or source that ended).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

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
    contexts: dict[str, dict[str, Any]] = {}
    for line in lines:
        try:
            document = json.loads(line.removeprefix(_SEPARATOR))
            record = _record(document, _context(document, contexts))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            continue
        yield record


def _context(document: dict[str, Any], contexts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    context: dict[str, Any] = document.get("context", {})
    if "pipeline" in context:
        return contexts.setdefault(context.get("id", ""), context)
    return contexts.get(context.get("id", ""), {})


def _record(document: dict[str, Any], context: dict[str, Any]) -> Record:
    pipeline = context.get("pipeline", {})
    stages = document.get("progress", {}).get("progress", {})
    return Record(
        str(document.get("message", "")),
        str(pipeline.get("name", "")),
        str(pipeline.get("stage", {}).get("name", "")),
        int(stages.get("done", 0)),
        int(stages.get("total", 0)),
        _result(document["result"]) if "result" in document else None,
    )


def _result(result: dict[str, Any]) -> Result:
    """A stage reports its failure in `output`, a source in the `error` of an item."""
    words = [str(result.get("output", ""))]
    words += [str(item.get("error", "")) for item in result.get("results", [])]
    return Result(str(result.get("name", "")), result.get("success") is True, "\n".join(filter(None, words)))
