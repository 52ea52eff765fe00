"""The verb upload: the page blob with the disk."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.cloud.plugin import Done, Means, PlaceJob, Task

from .blobs import Blob, blob_of
from .client import Azure
from .naming import blob_name, container_name
from .pages import write_blob


def plan_upload(task: Task, means: Means) -> Sequence[PlaceJob]:
    """One job, for the container of the settings."""
    # All settings are read before anything is sent.
    container_name(task), blob_name(task)
    azure = Azure(task.settings, means)
    place = blob_of(azure, task).place
    return [PlaceJob(place, lambda means: _upload(blob_of(azure.at(means), task), task))]


def _upload(blob: Blob, task: Task) -> Done:
    found = blob.find(task)
    cached = found is not None and found.complete
    if not cached:
        write_blob(blob, task)
    recorded = dict(blob.entry()) in [dict(each) for each in task.entries]
    return Done(blob.url, blob.entry(), cached=cached and recorded)
