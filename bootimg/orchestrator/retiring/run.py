"""Judges the builds of a tree, deletes what is due, and marks in builds.json what is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bootimg.arch import Arch
from bootimg.browse.tree import ListedBuild, read_tree
from bootimg.builds.bucket.jsonstore import update
from bootimg.builds.find import Build
from bootimg.builds.index import change_index, checked_index, read_index
from bootimg.builds.layout import BUILDS, META, PRUNED
from bootimg.builds.policy import with_cleanup, with_marks
from bootimg.builds.prune import bury
from bootimg.cache import Cache
from bootimg.cloud.lifecycle import Report
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.orchestrator.retiring.deleting import Deletion, left_of
from bootimg.orchestrator.retiring.gathering import facts_of, records_of, require_whole
from bootimg.orchestrator.retiring.judging import Rules, Verdict, judge
from bootimg.orchestrator.retiring.policyfile import Action, StreamPolicy, read_policy
from bootimg.orchestrator.retiring.request import Retired, RetireRequest
from bootimg.orchestrator.retiring.settings import check_names, cloud_request
from bootimg.orchestrator.retiring.sharing import Sharing
from bootimg.orchestrator.retiring.streamnames import read_barriers, read_stream_names
from bootimg.orchestrator.retiring.uploads import Recorded, require_known

Index = dict[str, Any]


def retire(request: RetireRequest, cache: Cache, events: Events) -> list[Retired]:
    """The result for every build of the request, newest first; an error of one does not stop the others."""
    check_names(request)
    if request.delete and any(request.builds.glob(f"*/{PRUNED}")):
        # A run was killed while it removed a build's folder.
        bury(request.builds, ())
    tree = [each for each in read_tree(request.builds) if each.state.listed]
    policies = None if request.policy is None else read_policy(request.policy)
    for name in (name for name, each in (policies or {}).items() if each.images):
        events.message(f"the policy of {name} also has `images`: retire deletes no artifacts")
    verdicts = _verdicts(request, policies, tree)
    chosen = [(build, each) for build, each in zip(tree, verdicts, strict=True) if _is_chosen(request, each)]
    # The oldest go first, as in coreos-assembler.
    sharing = Sharing(tree, read_index(request.builds))
    found = [_Work(request, build, each, sharing, cache, events).run() for build, each in reversed(chosen)]
    if request.delete and request.bucket is not None:
        bucket, ours = request.bucket, read_index(request.builds)
        update(bucket, BUILDS, lambda there: _marked(there, ours, bucket.url(BUILDS)))
    return found[::-1]


def _verdicts(
    request: RetireRequest, policies: Mapping[str, StreamPolicy] | None, tree: Sequence[ListedBuild]
) -> list[Verdict]:
    """The verdicts on all builds; those that the request leaves alone are counted as newer builds too."""
    known = {each.id for each in tree}
    for name in request.ids:
        if name not in known:
            raise BootimgError(
                "build-not-found",
                f"{request.builds / BUILDS} lists no build {name}",
                hint="`bootimg builds list` lists the builds",
                exit_code=ExitCode.USAGE,
            )
    index, streams = read_index(request.builds), [*map(read_stream_names, request.stream_files)]
    facts = [facts_of(each, index, streams, request.stream) for each in tree]
    rules = Rules(
        policies=policies,
        barriers=frozenset[str]().union(*map(read_barriers, request.barriers)),
        now=time.time(),
    )
    return judge(facts, rules)


def _is_chosen(request: RetireRequest, verdict: Verdict) -> bool:
    return (not request.ids or verdict.id in request.ids) and request.stream in (None, verdict.stream)


def _marked(there: Index, ours: Index, where: str) -> Index:
    return with_marks(checked_index(there, where), ours) if there else there


class _Work:
    """The work on one build."""

    def __init__(
        self,
        request: RetireRequest,
        build: ListedBuild,
        verdict: Verdict,
        sharing: Sharing,
        cache: Cache,
        events: Events,
    ) -> None:
        self.request, self.build, self.verdict, self.sharing = request, build, verdict, sharing
        self.cache, self.events = cache, events

    def run(self) -> Retired:
        """Delete what is due, and mark it."""
        result = Retired(verdict=self.verdict, dry_run=not self.request.delete)
        if not self.verdict.actions:
            return result
        try:
            require_whole(self.build, known=not self.request.platforms)
            # All records are read before anything is deleted.
            reports = [*self._reports([*self._planned()])]
        except BootimgError as error:
            return replace(result, error=error)
        result = replace(result, reports=reports)
        return self._mark(result) if self.request.delete else result

    def _planned(self) -> Iterator[tuple[Build, Sequence[Recorded]]]:
        for each in self.build.arches:
            build = Build(each.id, Arch.parse(each.arch), each.folder, each.meta)
            records = [record for action in self.verdict.actions for record in records_of(action, each)]
            # A platform's container belongs to two actions.
            unique = {record.upload.meta_key: record for record in records}
            if self.request.arch in (None, build.arch):
                yield build, list(unique.values())

    def _reports(self, planned: Sequence[tuple[Build, Sequence[Recorded]]]) -> Iterator[Report]:
        cloud = cloud_request(self.request, self.verdict.stream, self.events)
        shared = self.sharing.of(self.build.id)
        deletion = Deletion(request=cloud, cache=self.cache, events=self.events, shared=shared)
        for build, records in planned:
            yield from deletion.run(build, records)

    def _mark(self, result: Retired) -> Retired:
        due = [each for each in self.verdict.actions if each is not Action.BUILD]
        marked: list[Action] = [each for each in due if self._is_gone(each)]
        facts = dict.fromkeys(map(str, marked), True)
        change_index(self.request.builds, lambda index: with_cleanup(index, self.build.id, facts))
        if marked != due or Action.BUILD not in self.verdict.actions:
            return replace(result, marked=marked)
        (verdict,) = bury(self.request.builds, [self.build.id])
        if verdict.removed:
            marked.append(Action.BUILD)
        return replace(result, marked=marked, left=verdict.reason)

    def _is_gone(self, action: Action) -> bool:
        """Whether everything of an action is gone, on all architectures and in all clouds."""
        try:
            for each in self.build.arches if action is Action.UPLOADS else ():
                require_known(each.meta, str(each.folder / META))
        except BootimgError:
            return False
        return not any(left_of(each.folder, records_of(action, each)) for each in self.build.arches)
