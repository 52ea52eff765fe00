"""The verb replicate: an image version made of the blob, with a copy in each region.

One request of Azure's concerns all regions.  If Azure refuses it, each region is asked for alone, so that one
that cannot be does not hide the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bootimg.cloud.plugin import BootimgError, Done, Means, PlaceJob, Task

from .blobs import blob_of
from .client import Azure, Json
from .gallery import Gallery, gallery_of
from .naming import region_name, version_tags
from .version import Version

_EVERY, _LONGEST = 20.0, 4 * 60 * 60.0
_FRESH = 300.0
"""Seconds after which Azure knows of a copy that it was asked for."""
_OF_ONE_REGION = ("cloud-request-failed", "cloud-permission-missing")
"""Errors that may be about one region of several: unknown to Azure, without quota, forbidden by a policy."""


@dataclass
class Replication:
    """What the jobs of all regions share: the first that comes sends the request."""

    task: Task
    gallery: Gallery
    source: Json
    home: str
    regions: Sequence[str]
    refused: dict[str, BootimgError] = field(default_factory=dict)
    _began: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ensure(self, gallery: Gallery) -> None:
        """Have Azure make the version and its copies."""
        with self._lock:
            if not self._began:
                self._begin(gallery)
                self._began = True

    def _begin(self, gallery: Gallery) -> None:
        missing = self._missing(gallery.find_own(self.task))
        if not missing:
            return
        try:
            self._add(gallery, missing)
        except BootimgError as error:
            if len(missing) > 1 and error.id in _OF_ONE_REGION:
                self._one_by_one(gallery, missing)
                return
            self.refused = dict.fromkeys(missing, error)

    def _missing(self, version: Version | None) -> list[str]:
        """The regions to ask for: those without a copy, and those whose copy failed."""
        targets, replicas = (version.targets, version.replicas) if version else ({}, {})
        failed = [each for each in self.regions if replicas.get(each, {}).get("state") == "Failed"]
        return [each for each in self.regions if each not in targets or each in failed]

    def _one_by_one(self, gallery: Gallery, regions: Sequence[str]) -> None:
        for region in regions:
            try:
                self._add(gallery, [region])
            except BootimgError as error:
                self.refused[region] = error
                if region == self.home:
                    # Without its home there is no version that others could be a copy of.
                    self.refused = dict.fromkeys(regions, error)
                    return

    def _add(self, gallery: Gallery, regions: Sequence[str]) -> None:
        """Ask for copies in further regions; waits for a change that runs, as Azure makes one at a time."""
        version = gallery.find_own(self.task)
        if version is None:
            gallery.put(self._new(regions), self.home)
            return
        version = gallery.settled()
        targets = [*version.targets.values()]
        targets += [{"name": each} for each in regions if each not in version.targets]
        gallery.put(version.changed({**version.publishing, "targetRegions": targets}), ",".join(regions))

    def _new(self, regions: Sequence[str]) -> Json:
        wanted = dict.fromkeys([self.home, *regions])
        publishing = {"targetRegions": [{"name": each} for each in wanted], "excludeFromLatest": True}
        storage = {"osDiskImage": {"source": self.source}}
        return {
            "location": self.home,
            "tags": version_tags(self.task),
            "properties": {"publishingProfile": publishing, "storageProfile": storage},
        }


def plan_replication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """A job for each region."""
    azure = Azure(task.settings, means)
    gallery = gallery_of(azure, task)
    # All settings are read before anything is changed.
    version_tags(task)
    source = _source(azure, task)
    definition = gallery.require_definition(task.arch)
    home = region_name(task.settings.text("primary_region") or str(definition["location"]))
    wanted = _regions(task, home)
    shared = Replication(task, gallery, source, home, wanted)
    return [PlaceJob(each, _job(shared, each)) for each in wanted]


def _regions(task: Task, home: str) -> list[str]:
    skipped = [region_name(each) for each in task.settings.texts("skipped_regions")]
    wanted = [home, *map(region_name, task.settings.texts("regions"))]
    return [each for each in dict.fromkeys(wanted) if each == home or each not in skipped]


def _source(azure: Azure, task: Task) -> Json:
    """The blob as the source of a version."""
    entry = task.needed_entries()[0]
    account = task.settings.text("storage_account") or blob_of(azure, task).account
    group = task.settings.needed("resource_group", "name it with --set resource_group=…")
    account_id = (
        f"/subscriptions/{azure.subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.Storage/storageAccounts/{account}"
    )
    return {"uri": str(entry["url"]), "storageAccountId": account_id}


def _job(shared: Replication, region: str) -> Callable[[Means], Done]:
    def work(means: Means) -> Done:
        gallery = shared.gallery.at(shared.gallery.azure.at(means))
        before = gallery.find_own(shared.task)
        cached = before is not None and before.replicas.get(region, {}).get("state") == "Completed"
        if not cached:
            shared.ensure(gallery)
            if region in shared.refused:
                raise shared.refused[region]
            if not means.calls.dry_run:
                _wait(gallery, region)
        return Done(f"{gallery.place} in {region}", cached=cached)

    return work


def _wait(gallery: Gallery, region: str) -> None:
    """Wait for the copy in a region; `cloud-image-failed` if Azure gives it up."""

    def look() -> bool | None:
        version = gallery.find()
        replica = version.replicas.get(region, {}) if version else {}
        step.advance(max(0, int(replica.get("progress") or 0) - step.done))
        late = time.monotonic() - began > _FRESH
        if replica.get("state") == "Failed" or (late and not replica):
            raise _gave_up(gallery, region, str(replica.get("details") or ""))
        return True if replica.get("state") == "Completed" else None

    began = time.monotonic()
    with gallery.azure.means.events.step(region, gallery.place, total=100, unit="%") as step:
        what = f"the image version {gallery.place} in {region}"
        gallery.azure.means.retry.wait_for(what, look, every=_EVERY, longest=_LONGEST)


def _gave_up(gallery: Gallery, region: str, why: str) -> BootimgError:
    return BootimgError(
        "cloud-image-failed",
        f"Azure could not copy the image version {gallery.place} to {region}",
        context=[why[:300]] if why else [],
        hint="run the same command again; other regions are not affected",
    )
