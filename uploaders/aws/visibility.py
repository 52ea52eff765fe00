"""The verbs publish, share and deprecate: state and permissions of the images that meta.json lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from bootimg.cloud.plugin import Done, Entry, Means, PlaceJob, Task

from .client import Aws
from .images import Image, image_by_id, wait_available
from .permissions import PUBLIC, for_both, grant, to_accounts

Change = Callable[[Aws, str, Image], list[str]]


def plan_publication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Make the images public, by the permissions of image and snapshot; restore those that are not usable."""
    return _each(task, means, _publish)


def plan_sharing(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Grant the images to the accounts of the settings."""
    accounts = task.settings.texts("grant_users")
    if not accounts:
        raise task.settings.missing(
            "names no account to share with",
            "name accounts with --grant, or `grant_users` in the block of the cloud",
        )
    wanted = for_both(to_accounts(accounts))

    def share(aws: Aws, region: str, image: Image) -> list[str]:
        granted = grant(aws, region, image.id, image.snapshot, wanted)
        return [f"granted to {', '.join(accounts)}"] if granted else []

    return _each(task, means, share)


def plan_deprecation(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Deprecate the images."""
    return _each(task, means, _deprecate)


def _each(task: Task, means: Means, change: Change) -> Sequence[PlaceJob]:
    """A job for each image, in the settings' regions if they name some."""
    aws, regions = Aws(task.settings, means), task.settings.texts("regions")
    chosen = [each for each in task.needed_entries() if each["name"] in regions] if regions else None
    entries = reachable(aws, task) if chosen is None else chosen
    return [PlaceJob(str(each["name"]), _job(aws, task, each, change)) for each in entries]


def reachable(aws: Aws, task: Task) -> Sequence[Entry]:
    """The images in the partition of the account: that of the primary region, else of the first image."""
    entries = task.needed_entries()
    home = aws.partition(task.settings.text("primary_region") or str(entries[0]["name"]))
    return [each for each in entries if aws.partition(each["name"]) == home]


def _job(aws: Aws, task: Task, entry: Entry, change: Change) -> Callable[[Means], Done]:
    region, image_id = str(entry["name"]), str(entry[task.upload.id_field])

    def work(means: Means) -> Done:
        own = aws.at(means)
        done = change(own, region, image_by_id(own, region, image_id))
        return Done(f"{image_id}: {', '.join(done) or 'nothing to do'}", cached=not done)

    return work


def _publish(aws: Aws, region: str, image: Image) -> list[str]:
    done = []
    if image.state == "disabled":
        aws.write("ec2", region, "EnableImage", ImageId=image.id)
        if not aws.dry_run:
            wait_available(aws, region, image.id)
        done.append("enabled")
    if image.deprecated_at is not None and _is_over(image.deprecated_at):
        aws.write("ec2", region, "DisableImageDeprecation", ImageId=image.id)
        done.append("no longer deprecated")
    if grant(aws, region, image.id, image.snapshot, for_both([PUBLIC])):
        done.append("made public")
    return done


def _deprecate(aws: Aws, region: str, image: Image) -> list[str]:
    if image.deprecated_at is not None and _is_over(image.deprecated_at):
        return []
    # AWS refuses a time that is past, and counts in minutes.
    at = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=2)
    aws.write("ec2", region, "EnableImageDeprecation", ImageId=image.id, DeprecateAt=at)
    return [f"deprecated from {at:%Y-%m-%dT%H:%MZ} on"]


def _is_over(moment: str) -> bool:
    """Whether an image is deprecated now, or within the minutes that `_deprecate` needs."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return True
    return at <= datetime.now(UTC) + timedelta(minutes=3)
