"""The verbs publish, share, deprecate and retire: the images that meta.json lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from bootimg.cloud.plugin import Done, Entry, Means, PlaceJob, Task

from .client import Aliyun
from .faults import AliyunError
from .images import Image, image_by_id, publish, require_ours
from .replicating import missing_image

Change = Callable[[Aliyun, str, Image], list[str]]
_RETIRE = "retire"
_GONE = ("InvalidImageId.NotFound", "InvalidSnapshotId.NotFound")
_AT_A_TIME = 10
"""ECS takes so many accounts in one call."""


def plan_publication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Make the images public; those that are deprecated are restored."""
    return _each(task, means, _publish)


def plan_deprecation(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Deprecate the images."""
    return _each(task, means, _deprecate)


def plan_sharing(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Grant the images to the accounts of the settings."""
    accounts = task.settings.texts("grant_users")
    if not accounts:
        raise task.settings.missing(
            "names no account to share with",
            "name accounts with --grant, or `grant_users` in the block of the cloud",
        )
    return _each(task, means, lambda aliyun, region, image: _share(aliyun, region, image, accounts))


def plan_retirement(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Delete the images and their snapshots; those that are gone already are no error."""
    aliyun = Aliyun(task.settings, means)
    return [PlaceJob(str(each["name"]), _retirement(aliyun, task, each)) for each in _chosen(task)]


def _chosen(task: Task) -> list[Entry]:
    """The entries, in the settings' regions if they name some."""
    regions = task.settings.texts("regions")
    return [each for each in task.needed_entries() if not regions or each["name"] in regions]


def _each(task: Task, means: Means, change: Change) -> Sequence[PlaceJob]:
    aliyun, entries = Aliyun(task.settings, means), _chosen(task)
    return [PlaceJob(str(each["name"]), _job(aliyun, task, each, change)) for each in entries]


def _job(aliyun: Aliyun, task: Task, entry: Entry, change: Change) -> Callable[[Means], Done]:
    region, image_id = str(entry["name"]), str(entry[task.upload.id_field])

    def work(means: Means) -> Done:
        own = aliyun.at(means)
        image = image_by_id(own, region, image_id)
        if image is None:
            raise missing_image(region, image_id)
        done = change(own, region, image)
        return Done(f"{image_id}: {', '.join(done) or 'nothing to do'}", cached=not done)

    return work


def _publish(aliyun: Aliyun, region: str, image: Image) -> list[str]:
    done = []
    if image.state == "Deprecated":
        aliyun.write(region, "ModifyImageAttribute", ImageId=image.id, Status="Available")
        done.append("no longer deprecated")
    if not image.public:
        publish(aliyun, region, image.id)
        done.append("made public")
    return done


def _deprecate(aliyun: Aliyun, region: str, image: Image) -> list[str]:
    if image.state == "Deprecated":
        return []
    aliyun.write(region, "ModifyImageAttribute", ImageId=image.id, Status="Deprecated")
    return ["deprecated"]


def _share(aliyun: Aliyun, region: str, image: Image, accounts: Sequence[str]) -> list[str]:
    answer = aliyun.read(region, "DescribeImageSharePermission", ImageId=image.id, PageSize=100)
    has = {str(each["AliyunId"]) for each in answer.get("Accounts", {}).get("Account", ())}
    missing = [each for each in accounts if each not in has]
    for at in range(0, len(missing), _AT_A_TIME):
        aliyun.write(region, "ModifyImageSharePermission", ImageId=image.id,
                     AddAccount=missing[at : at + _AT_A_TIME])  # fmt: skip
    return [f"granted to {', '.join(missing)}"] if missing else []


def _retirement(aliyun: Aliyun, task: Task, entry: Entry) -> Callable[[Means], Done]:
    region, image_id = str(entry["name"]), str(entry[task.upload.id_field])

    def work(means: Means) -> Done:
        own = aliyun.at(means)
        image = image_by_id(own, region, image_id)
        if image is not None:
            require_ours(image, region, task)
            _delete_image(own, region, image)
        left = own.means.journal.last(_RETIRE, image_id)
        if image is None and left.get("state") != "begun":
            return Done(f"{image_id}: is gone", cached=True)
        for each in image.snapshots if image else left.get("snapshots", ()):
            _remove(own, region, "DeleteSnapshot", SnapshotId=each, Force=True)
        own.means.journal.note(_RETIRE, "done", image_id)
        return Done(f"{image_id}: deleted")

    return work


def _delete_image(aliyun: Aliyun, region: str, image: Image) -> None:
    """Delete an image; its snapshots are recorded before, since ECS does not name them afterwards."""
    aliyun.means.journal.note(_RETIRE, "begun", image.id, snapshots=list(image.snapshots))
    if image.public:
        aliyun.write(region, "ModifyImageSharePermission", ImageId=image.id, IsPublic=False)
    _remove(aliyun, region, "DeleteImage", ImageId=image.id, Force=True)


def _remove(aliyun: Aliyun, region: str, operation: str, **parameters: Any) -> None:  # noqa: ANN401
    # An earlier call may have removed it, and its answer was lost.
    with suppress(AliyunError):
        aliyun.write(region, operation, expected=_GONE, **parameters)
