"""The verb retire: the image version and the blob of a build, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bootimg.cloud.plugin import BootimgError, Done, Means, PlaceJob, Task

from .blobs import Blob, blob_of
from .client import Azure
from .faults import AzureError
from .gallery import Gallery, gallery_of

_EVERY, _LONGEST = 20.0, 60 * 60.0


def plan_retirement(task: Task, means: Means) -> Sequence[PlaceJob]:
    """A job for the container, and one for the gallery if the settings name one."""
    azure = Azure(task.settings, means)
    blob = blob_of(azure, task)
    _require_recorded(blob, task)
    jobs = [PlaceJob(blob.place, lambda means: _delete_blob(blob_of(azure.at(means), task), task))]
    if task.settings.text("gallery"):
        gallery = gallery_of(azure, task)
        jobs.append(PlaceJob(gallery.place, lambda means: _delete_version(gallery.at(azure.at(means)), task)))
    return jobs


def _require_recorded(blob: Blob, task: Task) -> None:
    """A blob that is somewhere else would count as gone; `cloud-setting-invalid`."""
    for entry in task.entries:
        if entry["url"] != blob.url:
            raise task.settings.invalid(f"it names the blob {blob.url}, and meta.json lists {entry['url']}")


def _delete_blob(blob: Blob, task: Task) -> Done:
    found = blob.find(task)
    if found is None:
        return Done(f"{blob.name} is not there", cached=True)

    def delete() -> None:
        blob.client.delete_blob()

    # It may be gone: an earlier call deleted it, and its answer was lost.
    with suppress(AzureError):
        blob.azure.write(blob.place, "blob:DeleteBlob", {"Blob": blob.name}, delete, instead=None,
                         expected=(404,))  # fmt: skip
    return Done(f"{blob.name} deleted")


def _delete_version(gallery: Gallery, task: Task) -> Done:
    if gallery.find_own(task) is None:
        return Done(f"{gallery.place} is not there", cached=True)
    versions = gallery.client.gallery_image_versions

    def delete() -> None:
        versions.begin_delete(gallery.group, gallery.name, gallery.definition, gallery.version, polling=False)

    try:
        gallery.azure.write(gallery.place, "compute:GalleryImageVersions_Delete",
                            {"GalleryImageVersion": gallery.place}, delete, instead=None,
                            expected=(404, 409))  # fmt: skip
    except AzureError as error:
        # An earlier call deletes it already, and its answer was lost.
        found = gallery.find()
        if found is not None and found.state != "Deleting":
            raise error.error from None
    if not gallery.azure.dry_run:
        _wait_gone(gallery)
    return Done(f"{gallery.place} deleted")


def _wait_gone(gallery: Gallery) -> None:
    def look() -> bool | None:
        found = gallery.find()
        if found is not None and found.state == "Failed":
            raise BootimgError(
                "cloud-image-failed",
                f"Azure could not delete the image version {gallery.place}",
                hint="run the same command again",
            )
        return True if found is None else None

    what = f"the deletion of {gallery.place}"
    gallery.azure.means.retry.wait_for(what, look, every=_EVERY, longest=_LONGEST)
