"""What a build records about itself beside its meta.json, before anything of it is made."""

from __future__ import annotations

from dataclasses import replace

from bootimg.builds.expected import expect
from bootimg.builds.folder import BuildDir
from bootimg.builds.record import change_record, read_record
from bootimg.builds.source import Source
from bootimg.events import Events
from bootimg.layer.declared.imagejson import ImageJson
from bootimg.layer.image.fetched import Image
from bootimg.layer.image.reference import Transport, parse_reference
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.selection import TESTS
from bootimg.orchestrator.steps import all_steps
from bootimg.orchestrator.targets.registry import targets_of_disks
from bootimg.printable import printable
from bootimg.rpmdb.purl import image_url
from bootimg.targets import LAYER_KEY, target_of_key


def record_selection(request: Request, build: BuildDir, events: Events) -> None:
    """Write the request's stream, and whether and why it skips disk images, into the build's record.

    Without a stream, the stream that an earlier run recorded stays.  The requested artifacts and those left
    out are added to the record.
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
    else:
        made = {each.name for each in targets_of_disks(request)}
        known = {name: why for name, why in before.left_out.items() if name not in made}
        record = replace(record, left_out={**known, **selection.left_out})
    change_record(build.path, record)
    if selection.stream is None:
        asked_for = all_steps(request).all_targets
        expect(build.path, (key for each in asked_for for key in each.declared.meta_keys))


def record_image_json(build: BuildDir, image_json: ImageJson) -> None:
    """Write the values of the layer's image.json that uploads need into the build's record."""
    change_record(build.path, replace(read_record(build.path), image_json=image_json.others))


def record_source(build: BuildDir, image: Image) -> None:
    """Write into the build's record where its layer came from.

    Where a registry is recorded, it stays: a later run takes the layer from the archive.  Nothing is recorded
    if another program archived the layer.
    """
    before = read_record(build.path)
    if before.source is not None and before.source.image is not None:
        return
    if before.source is None and LAYER_KEY in build.meta.read().get("images", {}):
        return
    reference = parse_reference(image.reference)
    name = str(reference) if reference.transport is Transport.REGISTRY else None
    change_record(build.path, replace(before, source=Source(image_url(image), name)))


def _tell_of_images(build: BuildDir, events: Events) -> None:
    """Warn of images that an earlier run made and this request skips."""
    there = [key for key in build.meta.read().get("images", {}) if _is_skipped(key)]
    if there:
        events.message(f"images of an earlier run stay in the build: {', '.join(there)}", "warning")


def _is_skipped(key: str) -> bool:
    target = target_of_key(key)
    return target is None or (target.disk_image and target.name != TESTS)
