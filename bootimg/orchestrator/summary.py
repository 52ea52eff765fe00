"""A plan in one line, for `plan`, and for `build` before it starts."""

from __future__ import annotations

from bootimg.orchestrator.plan import Plan
from bootimg.sizes import format_size


def summary(plan: Plan) -> str:
    """The number of artifacts, the time and the disk space."""
    new = sum(not artifact.cached for artifact in plan.artifacts)
    if not new:
        return "nothing to make"
    need = format_size(sum(space.need for space in plan.spaces))
    about = "" if plan.exact else "about "
    return f"{new} artifact{'' if new == 1 else 's'}, {duration(plan)}, {about}{need} of disk space"


def duration(plan: Plan) -> str:
    """The time of the build, as far as its steps ran on this machine before."""
    if not plan.unknown:
        return f"about {_minutes(plan.seconds)}"
    first = f"first run of {', '.join(plan.unknown)}"
    return f"more than {_minutes(plan.seconds)} ({first})" if plan.seconds else f"time unknown ({first})"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 100 else f"{seconds:.0f} s"
