"""The verbs for an image that meta.json lists: its state, its family and its permissions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bootimg.cloud.plugin import Done, Entry, Means, PlaceJob, Task

from .client import Gcp
from .images import ACTIVE, DEPRECATED, Image, images_of_family, listed_image, set_state
from .naming import members
from .permissions import EVERYBODY, grant

Change = Callable[[Gcp, str, Image], list[str]]


def plan_replication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """No job: images are global.  So `replicate` for all clouds of a build does not fail here."""
    task.needed_entries()
    return []


def plan_publication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Make the image public and the one that its family stands for."""
    return for_entries(task, means, _publish)


def plan_sharing(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Let the members of the settings use the image."""
    wanted = members(task)
    if not wanted:
        raise task.settings.missing(
            "names nobody to share with",
            "name members with --grant, or `grant_users` in the block of the cloud",
        )

    def share(gcp: Gcp, project: str, image: Image) -> list[str]:
        return [f"granted to {', '.join(wanted)}"] if grant(gcp, project, image.name, wanted) else []

    return for_entries(task, means, share)


def plan_deprecation(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Deprecate the image."""
    return for_entries(task, means, _deprecate)


def for_entries(task: Task, means: Means, change: Change) -> Sequence[PlaceJob]:
    """A job for the image of meta.json, of which there is one."""
    entries = task.needed_entries()
    gcp = Gcp(task.settings, means)
    return [PlaceJob(project_of(gcp, each), _job(gcp, each, change)) for each in entries]


def project_of(gcp: Gcp, entry: Entry) -> str:
    """The project of an entry; older ones of coreos-assembler do not have it."""
    return str(entry.get("project") or gcp.project)


def _job(gcp: Gcp, entry: Entry, change: Change) -> Callable[[Means], Done]:
    project, name = project_of(gcp, entry), str(entry["image"])

    def work(means: Means) -> Done:
        own = gcp.at(means)
        done = change(own, project, listed_image(own, project, name))
        return Done(f"{name}: {', '.join(done) or 'nothing to do'}", cached=not done)

    return work


def _publish(gcp: Gcp, project: str, image: Image) -> list[str]:
    done = []
    if grant(gcp, project, image.name, [EVERYBODY]):
        done.append("made public")
    if image.state != ACTIVE:
        set_state(gcp, project, image.name, ACTIVE)
        done.append("no longer deprecated")
    if image.family:
        done += _promote(gcp, project, image)
    return done


def _promote(gcp: Gcp, project: str, image: Image) -> list[str]:
    """Deprecate the other images of the family, as replaced by this one."""
    others = [each for each in images_of_family(gcp, project, image.family)
              if each.name != image.name and each.state == ACTIVE]  # fmt: skip
    for each in others:
        set_state(gcp, project, each.name, DEPRECATED, image.address)
    return [f"{each.name} replaced" for each in others]


def _deprecate(gcp: Gcp, project: str, image: Image) -> list[str]:
    if image.state != ACTIVE:
        return []
    set_state(gcp, project, image.name, DEPRECATED)
    return ["deprecated"]
