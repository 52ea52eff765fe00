"""Which builds a policy retires: a pure function of what is known of the builds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bootimg.orchestrator.retiring.policyfile import Action, StreamPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a build.

    `stream` is empty if nothing says it, or architectures differ.  `created` is in seconds since 1970.
    `tags` are those in builds.json, `done` the actions that builds.json records, `named_by` the files of
    streams that name the build or one of its images.
    """

    id: str
    stream: str = ""
    created: float | None = None
    tags: Sequence[str] = ()
    done: Collection[str] = ()
    named_by: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is removed of a build; if nothing is, `reason` says why."""

    id: str
    stream: str
    actions: Sequence[Action] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The policies by stream, and what holds for all: builds that are barriers, and the present time.

    Without `policies` the user has named the builds, and their age and stream do not matter.
    """

    policies: Mapping[str, StreamPolicy] | None
    barriers: Collection[str] = ()
    now: float


def judge(builds: Sequence[Facts], rules: Rules) -> list[Verdict]:
    """The verdict on each build; the builds are all of the tree, newest first."""
    seen: dict[str, int] = {}
    found = []
    for build in builds:
        number = seen[build.stream] = seen.get(build.stream, 0) + 1
        due, reason = _due(build, number, rules)
        left = [each for each in due if each not in build.done]
        if due and not left:
            reason = f"{', '.join(due)} done already"
        found.append(Verdict(id=build.id, stream=build.stream, actions=left, reason=reason))
    return found


def _due(build: Facts, number: int, rules: Rules) -> tuple[Sequence[Action], str]:
    """The actions that are due, or why there are none; `number` counts the builds of the stream from 1."""
    if build.tags:
        return (), f"has the tag {', '.join(build.tags)}"
    if build.id in rules.barriers:
        return (), "is a barrier"
    if build.named_by:
        return (), f"is named by {', '.join(build.named_by)}"
    if rules.policies is None:
        return (Action.UPLOADS,), ""
    if not build.stream:
        return (), "its stream is not known"
    policy = rules.policies.get(build.stream)
    if policy is None:
        return (), f"the policy has no stream {build.stream}"
    if build.id in policy.barriers:
        return (), "is a barrier"
    if number <= policy.keep_last:
        return (), f"one of the last {policy.keep_last}"
    if build.created is None:
        return (), "its age is not known"
    age = rules.now - build.created
    due = [each for each in Action if each in policy.ages and age >= policy.ages[each]]
    return due, "" if due else "not old enough"
