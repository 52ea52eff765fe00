"""What osbuild's JSONSeqMonitor says while it builds.

A record is an ASCII record separator, a JSON object and a newline (RFC 7464).  All of its members are
optional: `message` (of osbuild, or the words of a stage), `context` (the pipeline and stage it is
about; an object with nothing but `id` stands for one that came before), `progress` (pipelines and sources
done, and within it the stages of the pipeline) and `result` (a stage or source that ended).
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
    """A stage says why it failed in its `output`, a source in the `error` of an item."""
    words = [str(result.get("output", ""))]
    words += [str(item.get("error", "")) for item in result.get("results", [])]
    return Result(str(result.get("name", "")), result.get("success") is True, "\n".join(filter(None, words)))
