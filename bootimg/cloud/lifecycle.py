"""Runs a verb of an uploader: the jobs of all places side by side, each result recorded when its job ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootimg.builds.meta import MetaFile
from bootimg.cloud.calls import Call
from bootimg.cloud.results import record
from bootimg.cloud.task import Done, Entry, Means, PlaceJob, Task, Uploader
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError, ExitCode
from bootimg.jobs import Job, Stop, run_jobs

_PLACES_AT_A_TIME = 32


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """How the work in a place ended: what was done or, in a dry run, would be done; or the error."""

    place: str
    done: Done | None = None
    error: BootimgError | None = None
    dry_run: bool = False

    @property
    def state(self) -> str:
        """The state in words."""
        if self.done is None:
            return "failed"
        if self.done.cached:
            return "was there"
        return "would be done" if self.dry_run else "done"

    def as_dict(self) -> dict[str, Any]:
        """The result as `--json` prints it."""
        return {
            "place": self.place,
            "state": self.state,
            "text": self.done.text if self.done else None,
            "entry": dict(entry) if (entry := self._entry()) else None,
            "error": self.error.as_dict() if self.error else None,
        }

    def _entry(self) -> Entry | None:
        """The entry in meta.json; a dry run does not know the ids of what is not there yet."""
        done = self.done
        return None if done is None or (self.dry_run and not done.cached) else done.entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results of a verb for one upload of one build, and the calls that changed something.

    `image` is what a registry has now: `url` with a tag, if it has one, and the list's `digest`.
    """

    build: str
    arch: str
    platform: str
    key: str
    results: Sequence[PlaceResult]
    calls: Sequence[Call] = ()
    image: Mapping[str, str] | None = None

    @property
    def failed(self) -> Sequence[PlaceResult]:
        """The places where it failed."""
        return [each for each in self.results if each.error is not None]

    def as_dict(self) -> dict[str, Any]:
        """The report as `--json` prints it."""
        return {
            "build": self.build,
            "arch": self.arch,
            "platform": self.platform,
            "key": self.key,
            "places": [each.as_dict() for each in self.results],
            "calls": [each.as_dict() for each in self.calls],
            **({} if self.image is None else {"image": dict(self.image)}),
        }


def run_verb(verb: Verb, uploader: Uploader, task: Task, means: Means, meta: MetaFile) -> list[PlaceResult]:
    """Run the verb in all its places; an error of one place does not stop the others.

    Errors that concern all places (no credentials, an unknown setting) are raised.
    """
    plan = uploader.verbs.get(verb)
    if plan is None:
        raise BootimgError(
            "cloud-verb-unsupported",
            f"the uploader {uploader.name} has no verb {verb}",
            context=[uploader.summary],
            hint=f"it has {', '.join(uploader.verbs)}",
            exit_code=ExitCode.USAGE,
        )
    jobs = plan(task, means)
    # Many jobs may end at once; the lock of meta.json itself is waited for only half a minute.
    recording = threading.Lock()

    def keep(entry: Entry) -> None:
        with recording:
            record(meta, task.upload, entry)

    wanted = [Job(each.place, _work(each, means, keep), 0) for each in jobs]
    ended = run_jobs(wanted, workers=_PLACES_AT_A_TIME, memory=1)
    return [PlaceResult(each.name, each.value, each.error, means.calls.dry_run) for each in ended]


def _work(job: PlaceJob, means: Means, keep: Callable[[Entry], None]) -> Callable[[Stop], Done]:
    def work(stop: Stop) -> Done:
        done = job.work(means.with_stop(stop))
        if done.entry is not None and not means.calls.dry_run:
            keep(done.entry)
        return done

    return work
