"""Leaves out of a request what `all` or a stream names, but this builder or this layer cannot give."""

from __future__ import annotations

from dataclasses import replace

from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.targets.registry import targets_of_disks


def leave_out(request: Request, layer: Layer | None = None) -> Request:
    """The request without such targets; its selection has the reasons.

    Targets stay, and are refused later, if they were requested by name, or if nothing else would be made.
    """
    selection = request.selection
    reasons = {
        target.name: reason
        for target in targets_of_disks(request)
        if target.name in selection.optional and (reason := target.impossible(request, layer)) is not None
    }
    kept = tuple(each for each in selection.targets if each.name not in reasons)
    if not reasons or not (request.platforms or kept):
        return request
    gone = {key for each in selection.targets if each.name in reasons for key in each.listed_keys}
    left = replace(
        selection,
        targets=kept,
        expected=tuple(key for key in selection.expected if key not in gone),
        left_out={**selection.left_out, **reasons},
    )
    return replace(request, selection=left)
