"""What the artifacts of a build are made with, recorded so that the same bytes can be made again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version

from bootimg.builds.made import Made
from bootimg.builds.record import Record, change_record, read_record
from bootimg.manifest.digest import recipes_digest
from bootimg.orchestrator.recipes.variables import target_imgref
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work


@dataclass(frozen=True, slots=True)
class How:
    """How the disk was made that a target is made from: `deploy` and `programs` as in `Made`."""

    deploy: str
    programs: Mapping[str, str] = field(default_factory=dict)


def record_made(work: Work, targets: Iterable[tuple[Target, How]]) -> None:
    """Write into the build's record how the artifacts of targets, which come next, are made.

    A draft in the build stays one until `record_release`.
    """
    before = read_record(work.build.path)
    imgref = target_imgref(work.request, work.layer.image, work.layer.facts)
    found = {}
    for target, how in targets:
        programs = target.made_with(work)
        for key in target.declared.meta_keys:
            found[key] = Made(
                bootimg=version("bootimg"),
                deploy=how.deploy,
                target_imgref=imgref,
                size=work.request.size,
                draft=target.declared.has_draft and (work.request.draft or _is_draft(before, key)),
                programs={**how.programs, **programs.get(key, {})},
                recipe=recipes_digest(),
            )
    change_record(work.build.path, replace(before, made={**before.made, **found}))


def record_release(work: Work, target: Target) -> None:
    """Write into the build's record that the artifacts of a target, which are made, are no drafts."""
    before = read_record(work.build.path)
    keys = [key for key in target.declared.meta_keys if _is_draft(before, key)]
    found = {key: replace(before.made[key], draft=False) for key in keys}
    change_record(work.build.path, replace(before, made={**before.made, **found}))


def _is_draft(record: Record, key: str) -> bool:
    return key in record.made and record.made[key].draft
