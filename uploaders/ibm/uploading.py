"""The verb upload: the artifact as an object in the bucket of the primary region."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.cloud.plugin import Done, Means, PlaceJob, Task

from .client import Cos
from .naming import bucket_name, entry_of, object_name
from .objects import Object

_REGION = "name the region with --region, or `primary_region` in the block of the cloud"


def plan_upload(task: Task, means: Means) -> Sequence[PlaceJob]:
    """One job, in the primary region."""
    region = task.settings.needed("primary_region", _REGION)
    # All settings are read before anything is sent.
    key, bucket, public = object_name(task), bucket_name(task, region), task.settings.flag("public")
    cos = Cos(task.settings, means)

    def work(means: Means) -> Done:
        return _upload(Object(cos.at(means), region, bucket, key, task.content.sha256, public), task)

    return [PlaceJob(region, work)]


def _upload(target: Object, task: Task) -> Done:
    entry = entry_of(target.place, target.bucket, target.key)
    found = target.is_there(task)
    if not found:
        with task.content.file() as path:
            target.put(path)
    hidden = found and target.public and not target.is_public()
    if hidden:
        target.publish()
    return Done(target.address, entry, cached=found and not hidden)
