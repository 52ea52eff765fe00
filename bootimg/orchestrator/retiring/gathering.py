"""What is known of the builds of a tree, to judge them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bootimg.browse.tree import ArchBuild, ListedBuild
from bootimg.builds.layout import META
from bootimg.builds.meta import built_at
from bootimg.builds.policy import cleanup_of
from bootimg.errors import BootimgError
from bootimg.orchestrator.retiring.judging import Facts
from bootimg.orchestrator.retiring.policyfile import Action
from bootimg.orchestrator.retiring.streamnames import StreamNames
from bootimg.orchestrator.retiring.uploads import (
    Recorded,
    recorded_containers,
    recorded_disks,
    recorded_uploads,
    require_known,
)

Index = dict[str, Any]


def facts_of(build: ListedBuild, index: Index, streams: Sequence[StreamNames], stream: str | None) -> Facts:
    """The facts of a build; if none of its architectures says a stream, it is of `stream`."""
    declared = {each.stream for each in build.arches if each.stream} or {stream or ""}
    moments = [built_at(each.meta) for each in build.arches]
    records = [record for each in build.arches for action in Action for record in _records(action, each)]
    return Facts(
        id=build.id,
        stream=declared.pop() if len(declared) == 1 else "",
        created=max((each for each in moments if each is not None), default=None) if all(moments) else None,
        tags=build.state.tags,
        done=[key for key, value in cleanup_of(index, build.id).items() if value],
        named_by=[each.file for each in streams if each.name(build.id, records)],
    )


def records_of(action: Action, arch: ArchBuild) -> list[Recorded]:
    """What is recorded of an architecture that an action deletes from clouds and registries.

    Errors: `build-meta-malformed`, `build-record-malformed`.
    """
    where = str(arch.folder / META)
    match action:
        case Action.UPLOADS:
            return recorded_uploads(arch.meta, where)
        case Action.CONTAINERS:
            return [*recorded_containers(arch.meta, where), *recorded_disks(arch.folder)]
        case Action.BUILD:
            return []


def require_whole(build: ListedBuild, *, known: bool) -> None:
    """Require a build whose images are all known, before any of them is deleted.

    Errors: `retire-build-incomplete`, `build-meta-malformed` and, with `known`, those of `require_known`.
    """
    for each in build.arches:
        if each.state.problem is not None or not each.meta:
            raise BootimgError(
                "retire-build-incomplete",
                f"the images of build {build.id} ({each.arch}) are not known",
                context=[each.state.problem or f"{each.folder / META} is empty"],
                hint="`bootimg builds fetch --arch all` gets the meta.json of every architecture",
            )
        where = str(each.folder / META)
        if known:
            require_known(each.meta, where)
        recorded_uploads(each.meta, where)


def _records(action: Action, arch: ArchBuild) -> Sequence[Recorded]:
    """What an action deletes of an architecture; none if it cannot be read, which stops the action later."""
    try:
        return records_of(action, arch)
    except BootimgError:
        return ()
