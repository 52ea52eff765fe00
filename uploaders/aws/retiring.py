"""The verb retire: the images that meta.json lists, deregistered, and their snapshots deleted.

What is gone is done.  A snapshot that meta.json does not list, as in old builds, is the image's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bootimg.cloud.plugin import BootimgError, Done, Entry, Means, PlaceJob, Task

from .client import Aws
from .faults import AwsError
from .images import Image, find_by_id
from .naming import BUILD, image_name, tags_of
from .visibility import reachable

_STEP = "deletion"
_GONE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSnapshot.NotFound")
_IN_USE = "InvalidSnapshot.InUse"
_EVERY, _LONGEST = 5.0, 60.0
"""Seconds: AWS may count an image that was deregistered just now as a user of its snapshot."""


def plan_retirement(task: Task, means: Means) -> Sequence[PlaceJob]:
    """A job for each image that the account can have, whatever regions the settings name."""
    aws = Aws(task.settings, means)
    return [PlaceJob(str(each["name"]), _job(aws, task, each)) for each in reachable(aws, task)]


def _job(aws: Aws, task: Task, entry: Entry) -> Callable[[Means], Done]:
    return lambda means: _Deletion(aws.at(means), task, entry).run()


class _Deletion:
    """The deletion of one image with its snapshot."""

    def __init__(self, aws: Aws, task: Task, entry: Entry) -> None:
        self.aws, self.task = aws, task
        self.region, self.image_id = str(entry["name"]), str(entry[task.upload.id_field])
        self.subject = f"{self.region} {self.image_id}"
        # A killed run noted the image's snapshot before it deregistered the image.
        self.noted = aws.means.journal.last(_STEP, self.subject).get("snapshot")
        self.listed = str(entry.get("snapshot") or self.noted or "")

    def run(self) -> Done:
        """Deregister the image, then delete its snapshot."""
        image = find_by_id(self.aws, self.region, self.image_id)
        if image is None:
            self._require_gone()
        else:
            self._require_ours(image)
        done = [] if image is None else [self._deregister(image)]
        snapshot = image.snapshot if image else self.listed
        if snapshot and not self._is_shared(snapshot):
            done += self._delete(snapshot, known=bool(image) or snapshot == self.noted)
        return Done(f"{self.image_id}: {', '.join(done) or 'was gone'}", cached=not done)

    def _require_gone(self) -> None:
        """`cloud-image-foreign` if another account has the image: then nothing is deleted."""
        other = find_by_id(self.aws, self.region, self.image_id, own=False)
        if other is not None:
            raise self._foreign(self.image_id, f"it belongs to the account {other.owner}")

    def _require_ours(self, image: Image) -> None:
        name = image_name(self.task)
        # coreos-assembler had images of this name with a suffix once.
        names = (name, f"{name}-hvm")
        if image.name not in names and image.tags.get(BUILD) != f"{self.task.build}/{self.task.arch}":
            raise self._foreign(image.id, f"its name is {image.name or 'not known'}, not {name}")
        if image.snapshot and self.listed and image.snapshot != self.listed:
            raise self._foreign(image.id, f"its snapshot is {image.snapshot}, not {self.listed}")

    def _foreign(self, thing: str, why: str) -> BootimgError:
        return BootimgError(
            "cloud-image-foreign",
            f"{thing} in {self.region}, which meta.json lists, is not the image of this build",
            context=[why],
            hint="nothing was deleted there; find out whose it is, and correct meta.json",
        )

    def _deregister(self, image: Image) -> str:
        if not self.aws.dry_run:
            self.aws.means.journal.note(_STEP, "begun", self.subject, snapshot=image.snapshot)
        # It may be gone because the answer to an earlier call was lost.
        with suppress(AwsError):
            self.aws.write("ec2", self.region, "DeregisterImage", ImageId=image.id, expected=_GONE)
        return "deregistered"

    def _is_shared(self, snapshot: str) -> bool:
        """Whether another upload of this build, which was not deleted yet, has the snapshot too."""
        others = [entries for key, entries in self.task.recorded.items() if key != self.task.upload.meta_key]
        return any(
            each.get("snapshot") == snapshot and self._exists(str(each.get(self.task.upload.id_field)))
            for entries in others
            for each in entries
            if each["name"] == self.region
        )

    def _exists(self, image_id: str) -> bool:
        return find_by_id(self.aws, self.region, image_id) is not None

    def _delete(self, snapshot: str, *, known: bool) -> list[str]:
        """Delete the snapshot, if it exists; `known` says that it is the one of our image."""
        answer = self.aws.read("ec2", self.region, "DescribeSnapshots", OwnerIds=["self"],
                               Filters=[{"Name": "snapshot-id", "Values": [snapshot]}])  # fmt: skip
        if not answer["Snapshots"]:
            return []
        if not (known or self._is_ours(answer["Snapshots"][0])):
            raise self._foreign(
                snapshot, "the image is gone, and neither name nor tags of the snapshot are ours"
            )
        if self.aws.dry_run:
            self._call_delete(snapshot)
        else:
            self._wait_deleted(snapshot)
        return [f"{snapshot} deleted"]

    def _is_ours(self, snapshot: Mapping[str, Any]) -> bool:
        tags = tags_of(snapshot)
        return (
            tags.get("Name") == image_name(self.task)
            or tags.get(BUILD) == f"{self.task.build}/{self.task.arch}"
            # AWS's own words for the snapshot of a copied image.
            or f"DestinationAmi {self.image_id} " in f"{snapshot.get('Description', '')} "
        )

    def _wait_deleted(self, snapshot: str) -> None:
        words: list[BootimgError] = []

        def look() -> bool | None:
            try:
                self._call_delete(snapshot)
            except AwsError as error:
                if error.code == _IN_USE:
                    words.append(error.error)
                    return None
            return True

        try:
            self.aws.means.retry.wait_for(
                f"the deletion of {snapshot} in {self.region}", look, every=_EVERY, longest=_LONGEST
            )
        except BootimgError as error:
            raise (
                self._in_use(snapshot, words[-1]) if error.id == "cloud-timeout" and words else error
            ) from None

    def _call_delete(self, snapshot: str) -> None:
        self.aws.write("ec2", self.region, "DeleteSnapshot", SnapshotId=snapshot, expected=(*_GONE, _IN_USE))

    def _in_use(self, snapshot: str, said: BootimgError) -> BootimgError:
        return BootimgError(
            "cloud-image-in-use",
            f"{snapshot} in {self.region} cannot be deleted: another image uses it",
            context=said.context,
            hint="deregister that image if it is yours, then run the same command again",
        )
