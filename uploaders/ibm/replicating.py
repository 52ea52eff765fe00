"""The verb replicate: copies of the object in the buckets of other regions, made by the storage itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bootimg.cloud.plugin import BootimgError, Done, Means, PlaceJob, Task

from .client import Cos
from .copying import copy_object
from .naming import bucket_name, entry_of
from .objects import Object

REGIONS = (
    "au-syd", "br-sao", "ca-tor", "eu-de", "eu-es", "eu-gb", "jp-osa", "jp-tok", "us-east", "us-south",
)  # fmt: skip
"""The regions with object storage, to which coreos-assembler copies without other settings."""


def plan_replication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """A job for each region that has no object yet."""
    entries = task.needed_entries()
    home = task.settings.text("primary_region") or str(entries[0]["region"])
    entry = next((each for each in entries if each["region"] == home), entries[0])
    recorded = {each["region"] for each in entries}
    skipped = task.settings.texts("skipped_regions")
    wanted = dict.fromkeys(task.settings.texts("regions") or REGIONS)
    missing = [each for each in wanted if each not in recorded and each not in skipped]
    if not missing:
        return []
    buckets = {region: bucket_name(task, region) for region in missing}
    cos = Cos(task.settings, means)
    region, bucket, key = (str(entry[field]) for field in ("region", "bucket", "object"))
    source = Object(cos, region, bucket, key, task.content.sha256)
    head = source.head()
    if head is None or not source.is_there(task):
        raise missing_object(source)
    public, size = source.is_public(), int(head["ContentLength"])

    def job(region: str) -> Callable[[Means], Done]:
        def work(means: Means) -> Done:
            target = Object(cos.at(means), region, buckets[region], key, task.content.sha256, public)
            return _copy(target, source, size, task)

        return work

    return [PlaceJob(each, job(each)) for each in missing]


def missing_object(target: Object) -> BootimgError:
    """The error for an object that meta.json lists and the bucket does not have."""
    return BootimgError(
        "cloud-image-missing",
        f"{target.place} does not have {target.address}, which meta.json lists",
        hint="it was deleted, or it belongs to another account: check the credentials",
    )


def _copy(target: Object, source: Object, size: int, task: Task) -> Done:
    entry = entry_of(target.place, target.bucket, target.key)
    found = target.is_there(task)
    if not found:
        title = f"{target.key} from {source.place}"
        with target.cos.means.events.step(target.place, title, total=None) as step:
            copy_object(source, target, size, step)
            step.result(target.address)
    hidden = found and target.public and not target.is_public()
    if hidden:
        target.publish()
    return Done(target.address, entry, cached=found and not hidden)
