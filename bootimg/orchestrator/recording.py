"""What a build records about itself beside its meta.json, before anything of it is made."""

from __future__ import annotations

from dataclasses import replace

from bootimg.builds.expected import expect
from bootimg.builds.folder import BuildDir
from bootimg.builds.record import change_record, read_record
from bootimg.events import Events
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.selection import TESTS
from bootimg.orchestrator.steps import all_steps
from bootimg.printable import printable
from bootimg.targets import target_of_key


def record_selection(request: Request, build: BuildDir, events: Events) -> None:
    """Write the request's stream, and whether and why it skips disk images, into the build's record.

    Without a stream, the stream that an earlier run recorded stays, and the requested artifacts are added to
    the record.
    """
    selection, before = request.selection, read_record(build.path)
    if before.skip_reason and not selection.skip_reason:
        events.message(
            f"an earlier run skipped disk images ({printable(before.skip_reason)}); this one does not",
            "warning",
        )
    if selection.skip_reason:
        _tell_of_images(build, events)
    record = replace(before, skip_reason=selection.skip_reason)
    if selection.stream is not None:
        record = replace(
            record,
            stream=selection.stream,
            expected=selection.expected,
            left_out=selection.left_out,
        )
    change_record(build.path, record)
    if selection.stream is None:
        asked_for = all_steps(request).all_targets
        expect(build.path, (key for each in asked_for for key in each.declared.meta_keys))


def _tell_of_images(build: BuildDir, events: Events) -> None:
    """Warn of images that an earlier run made and this request skips."""
    there = [key for key in build.meta.read().get("images", {}) if _is_skipped(key)]
    if there:
        events.message(f"images of an earlier run stay in the build: {', '.join(there)}", "warning")


def _is_skipped(key: str) -> bool:
    target = target_of_key(key)
    return target is None or (target.disk_image and target.name != TESTS)
