"""What the artifacts of a build are made with, recorded so that the same bytes can be made again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version

from bootimg.builds.made import Made
from bootimg.builds.record import change_record, read_record
from bootimg.orchestrator.recipes.variables import target_imgref
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work


def record_made(work: Work, targets: Iterable[tuple[Target, str]]) -> None:
    """Write into the build's record how the artifacts of targets, which come next, are made.

    With each target comes `deploy`, as in `Made`.
    """
    before = read_record(work.build.path)
    imgref = target_imgref(work.request, work.layer.image, work.layer.facts)
    found = {
        key: Made(bootimg=version("bootimg"), deploy=deploy, target_imgref=imgref, size=work.request.size)
        for target, deploy in targets
        for key in target.declared.meta_keys
    }
    change_record(work.build.path, replace(before, made={**before.made, **found}))
