"""The verbs publish and retire: the objects that meta.json lists, made public or deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bootimg.cloud.plugin import Done, Entry, Means, PlaceJob, Task

from .client import Cos
from .objects import Object
from .replicating import missing_object

Change = Callable[[Object, Task], Done]


def plan_publication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Let everybody read the objects."""
    return _each(task, means, _publish)


def plan_retirement(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Delete the objects; those that are gone already are no error."""
    return _each(task, means, _retire)


def _each(task: Task, means: Means, change: Change) -> Sequence[PlaceJob]:
    """A job for each object, in the settings' regions if they name some."""
    entries, regions = task.needed_entries(), task.settings.texts("regions")
    cos = Cos(task.settings, means)
    chosen = [each for each in entries if not regions or each["region"] in regions]
    return [PlaceJob(str(each["region"]), _job(cos, task, each, change)) for each in chosen]


def _job(cos: Cos, task: Task, entry: Entry, change: Change) -> Callable[[Means], Done]:
    region, bucket, key = (str(entry[field]) for field in ("region", "bucket", "object"))
    return lambda means: change(Object(cos.at(means), region, bucket, key, task.content.sha256), task)


def _publish(target: Object, task: Task) -> Done:
    if not target.is_there(task):
        raise missing_object(target)
    if target.is_public():
        return Done(f"{target.address}: nothing to do", cached=True)
    target.publish()
    return Done(f"{target.address}: made public")


def _retire(target: Object, task: Task) -> Done:
    if not target.is_there(task):
        return Done(f"{target.address}: is gone", cached=True)
    target.delete()
    return Done(f"{target.address}: deleted")
