"""Makes the targets that are made from base disks, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from bootimg.atomic import enough_space
from bootimg.errors import BootimgError
from bootimg.jobs import Job, Stop, memory_budget, run_jobs
from bootimg.orchestrator.request import Artifact
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.storage import storage_error


def make_side_by_side(work: Work, targets: Sequence[Target]) -> None:
    """Make the targets that the build lacks; existing ones stay.

    If one fails, the others are still made; `work.progress.failures` has its error.
    """
    found = {each.name: each.existing(work) for each in targets}
    made = _make(work, [each for each in targets if found[each.name] is None])
    for target in targets:
        artifacts = made.get(target.name) or found[target.name]
        if artifacts is not None:
            work.progress.add(target.name, artifacts)


def _make(work: Work, targets: Sequence[Target]) -> Mapping[str, tuple[Artifact, ...]]:
    jobs = [Job(each.name, partial(_one, work, each), each.memory(work)) for each in targets]
    ended = run_jobs(jobs, workers=work.request.jobs, memory=memory_budget())
    for each in ended:
        if each.error is not None:
            work.progress.failures[each.name] = each.error
            work.events.message(f"{each.name} failed: {each.error}", "warning")
    return {each.name: each.value for each in ended if each.value is not None}


def _one(work: Work, target: Target, stop: Stop) -> tuple[Artifact, ...]:
    with work.journal.step(target.name), _told_apart(work, target):
        return target.make(work, stop)


@contextmanager
def _told_apart(work: Work, target: Target) -> Iterator[None]:
    """Make a file system's error the error of one artifact, so that it does not stop the others."""
    try:
        with enough_space(work.build.path):
            yield
    except OSError as error:
        found = storage_error(error)
        if found is None:
            raise
        raise BootimgError(
            "artifact-not-written",
            f"the image for {target.name} could not be written: {found.message}",
            context=found.context,
            hint=f"{found.hint}; --retry-failed makes what is missing",
        ) from error
