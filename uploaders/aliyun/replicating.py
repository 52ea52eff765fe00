"""The verb replicate: copies of the image in other regions, visible as the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bootimg.cloud.plugin import BootimgError, Done, Means, PlaceJob, Task

from .client import Aliyun
from .images import (
    FAILED,
    USABLE,
    Image,
    find_image,
    image_by_id,
    publish,
    remove_failed,
    require_ours,
    wait_usable,
)
from .naming import image_description, image_name, image_tags

_STEP = "copy"


@dataclass(frozen=True, slots=True)
class _Original:
    region: str
    image: Image


def plan_replication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """A job for each region that has no image yet."""
    entries = task.needed_entries()
    image_tags(task)
    home = task.settings.text("primary_region") or str(entries[0]["name"])
    entry = next((each for each in entries if each["name"] == home), entries[0])
    aliyun, region = Aliyun(task.settings, means), str(entry["name"])
    recorded, skipped = {each["name"] for each in entries}, task.settings.texts("skipped_regions")
    wanted = task.settings.texts("regions") or _all_regions(aliyun, region)
    missing = [each for each in dict.fromkeys(wanted) if each not in recorded and each not in skipped]
    if not missing:
        return []
    image = image_by_id(aliyun, region, str(entry[task.upload.id_field]))
    if image is None:
        raise missing_image(region, str(entry[task.upload.id_field]))
    require_ours(image, region, task)
    original = _Original(region, image)

    def job(region: str) -> Callable[[Means], Done]:
        return lambda means: _copy(aliyun.at(means), region, task, original)

    return [PlaceJob(each, job(each)) for each in missing]


def missing_image(region: str, image: str) -> BootimgError:
    """The error for an image that meta.json lists and ECS does not have."""
    return BootimgError(
        "cloud-image-missing",
        f"{region} does not have the image {image}, which meta.json lists",
        hint="it was deleted, or it belongs to another account: check the credentials",
    )


def _all_regions(aliyun: Aliyun, region: str) -> tuple[str, ...]:
    answer = aliyun.read(region, "DescribeRegions", needs="Regions")
    return tuple(sorted(str(each["RegionId"]) for each in answer["Regions"]["Region"]))


def _copy(aliyun: Aliyun, region: str, task: Task, original: _Original) -> Done:
    image = find_image(aliyun, region, task)
    if image is not None and image.state in FAILED:
        remove_failed(aliyun, region, image.id, _STEP, _subject(region, task))
        image = None
    made = image is None
    image_id = _start(aliyun, region, task, original) if image is None else image.id
    if image is None or image.state not in USABLE:
        image = _wait(aliyun, region, task, original, image_id)
    hidden = original.image.public and not image.public
    if hidden:
        publish(aliyun, region, image_id)
    entry = {"name": region, task.upload.id_field: image_id}
    return Done(image_id, entry, cached=not (made or hidden))


def _start(aliyun: Aliyun, region: str, task: Task, original: _Original) -> str:
    token = "<token>" if aliyun.dry_run else aliyun.means.journal.token(_STEP, _subject(region, task))
    answer = aliyun.write(
        original.region, "CopyImage", place=region, instead={"ImageId": "<the new image>"}, needs="ImageId",
        ImageId=original.image.id, DestinationRegionId=region, DestinationImageName=image_name(task),
        DestinationDescription=image_description(task), ClientToken=token, Tag=image_tags(task),
    )  # fmt: skip
    return str(answer["ImageId"])


def _wait(aliyun: Aliyun, region: str, task: Task, original: _Original, image_id: str) -> Image:
    if aliyun.dry_run:
        return Image(id=image_id, name=image_name(task), state="planned")
    title = f"{image_name(task)} from {original.region}"
    with aliyun.means.events.step(region, title, total=None) as step:
        try:
            image = wait_usable(aliyun, region, image_id)
        except BootimgError as error:
            if error.id == "cloud-image-failed":
                aliyun.means.journal.note(_STEP, "failed", _subject(region, task))
            raise
        step.result(image.id)
    aliyun.means.journal.note(_STEP, "done", _subject(region, task), image=image.id)
    return image


def _subject(region: str, task: Task) -> str:
    return f"{region} {image_name(task)} {task.content.sha256}"
