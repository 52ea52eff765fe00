"""The verbs publish, share and deprecate: who finds the image version of a build, and who may use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from bootimg.cloud.plugin import BootimgError, Done, ExitCode, Means, PlaceJob, Task

from .client import Azure
from .gallery import Gallery, gallery_of
from .version import Version

Change = Callable[[Gallery, Version], list[str]]
_END, _HIDDEN = "endOfLifeDate", "excludeFromLatest"


def plan_publication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Have the version count as the latest, and the gallery open to everybody if it is for the community."""
    community = task.settings.one_of("publish_as", "community", "latest") == "community"

    def publish(gallery: Gallery, version: Version) -> list[str]:
        opened = _open(gallery) if community else []
        publishing = version.publishing
        restored = ["counts as the latest"] if publishing.get(_HIDDEN) else []
        if _is_over(publishing.get(_END)):
            del publishing[_END]
            restored.append("no end of life")
        if restored:
            gallery.put(version.changed({**publishing, _HIDDEN: False}), gallery.name)
        return [*opened, *restored]

    return _job(task, means, publish)


def plan_sharing(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Share the gallery with the subscriptions and tenants of the settings."""
    kinds = {"Subscriptions": "grant_users", "AADTenants": "grant_tenants"}
    wanted = {kind: task.settings.texts(key) for kind, key in kinds.items()}
    if not any(wanted.values()):
        raise task.settings.missing(
            "names nobody to share with",
            "name subscriptions with --grant or `grant_users`, or tenants with `grant_tenants`",
        )

    def share(gallery: Gallery, _: Version) -> list[str]:
        profile = gallery.sharing()
        _require_permission(gallery, profile, "Groups")
        has = {(each["type"], one) for each in profile.get("groups") or () for one in each.get("ids") or ()}
        missing = {kind: [each for each in ids if (kind, each) not in has] for kind, ids in wanted.items()}
        added = [{"type": kind, "ids": ids} for kind, ids in missing.items() if ids]
        if added:
            _update_sharing(gallery, {"operationType": "Add", "groups": added})
        return [f"shared with {', '.join(ids)}" for ids in missing.values() if ids]

    return _job(task, means, share)


def plan_deprecation(task: Task, means: Means) -> Sequence[PlaceJob]:
    """Have the version end its life now, and no longer count as the latest."""

    def deprecate(gallery: Gallery, version: Version) -> list[str]:
        publishing = version.publishing
        if publishing.get(_HIDDEN) and _is_over(publishing.get(_END)):
            return []
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        gallery.put(version.changed({**publishing, _HIDDEN: True, _END: now}), gallery.name)
        return [f"not the latest, its life ended at {now}"]

    return _job(task, means, deprecate)


def _job(task: Task, means: Means, change: Change) -> Sequence[PlaceJob]:
    azure = Azure(task.settings, means)
    gallery = gallery_of(azure, task)

    def work(means: Means) -> Done:
        own = gallery.at(azure.at(means))
        done = change(own, own.needed(task))
        if done and not own.azure.dry_run:
            own.settled()
        return Done(f"{own.place}: {', '.join(done) or 'nothing to do'}", cached=not done)

    return [PlaceJob(gallery.place, work)]


def _open(gallery: Gallery) -> list[str]:
    profile = gallery.sharing()
    _require_permission(gallery, profile, "Community")
    if (profile.get("communityGalleryInfo") or {}).get("communityGalleryEnabled"):
        return []
    _update_sharing(gallery, {"operationType": "EnableCommunity"})
    return ["gallery opened to the community"]


def _require_permission(gallery: Gallery, profile: dict[str, Any], needed: str) -> None:
    has = profile.get("permissions") or "Private"
    if has == needed:
        return
    raise BootimgError(
        "cloud-gallery-private",
        f"the sharing of the gallery {gallery.name} is {has}, not {needed}",
        hint="its owner sets it with `az sig update`, as docs/clouds/azure.md shows; `publish_as: latest`"
        " publishes only to those who may use the gallery",
        exit_code=ExitCode.USAGE,
    )


def _update_sharing(gallery: Gallery, body: dict[str, Any]) -> None:
    profile = gallery.client.gallery_sharing_profile

    def work() -> None:
        profile.begin_update(gallery.group, gallery.name, body, polling=False)

    parameters = {"Gallery": gallery.name, **body}
    gallery.azure.write(gallery.name, "compute:GallerySharingProfile_Update", parameters, work, instead=None)


def _is_over(moment: object) -> bool:
    try:
        return datetime.fromisoformat(str(moment)) <= datetime.now(UTC)
    except (ValueError, TypeError):
        return False
