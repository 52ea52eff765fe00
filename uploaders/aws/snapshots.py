"""Snapshots of the disk: found by tags, waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootimg.cloud.plugin import BootimgError, Task

from .client import Aws
from .naming import SHA256, image_name

PLANNED = "<the new snapshot>"
"""Stands for the snapshot that a dry run would make."""
_EVERY, _LONGEST = 10.0, 60 * 60.0


def find_snapshots(aws: Aws, region: str, task: Task, *states: str) -> list[Mapping[str, Any]]:
    """The account's own snapshots of this very disk in one of these states, the newest first."""
    found = aws.every(
        "ec2", region, "DescribeSnapshots", "Snapshots", OwnerIds=["self"],
        Filters=[
            {"Name": "tag:Name", "Values": [image_name(task)]},
            {"Name": f"tag:{SHA256}", "Values": [task.content.sha256]},
        ],
    )  # fmt: skip
    wanted = [each for each in found if each["State"] in states]
    return sorted(wanted, key=lambda each: str(each.get("StartTime", "")), reverse=True)


def snapshot_gib(aws: Aws, region: str, snapshot: str) -> int:
    """The size of a snapshot's disk in GiB; `cloud-image-missing` if there is no such snapshot."""
    answer = aws.read(
        "ec2", region, "DescribeSnapshots", Filters=[{"Name": "snapshot-id", "Values": [snapshot]}]
    )
    if not answer["Snapshots"]:
        raise BootimgError(
            "cloud-image-missing",
            f"{region} does not have the snapshot {snapshot}, which meta.json lists",
            hint="it was deleted, or it belongs to another account: check the credentials",
        )
    return int(answer["Snapshots"][0]["VolumeSize"])


def state_of(aws: Aws, region: str, snapshot: str) -> str:
    """The state of a snapshot: pending, completed or error."""
    answer = aws.read("ec2", region, "DescribeSnapshots", fresh=True, SnapshotIds=[snapshot])
    return str(answer["Snapshots"][0]["State"]) if answer["Snapshots"] else "pending"


def wait_completed(aws: Aws, region: str, snapshot: str) -> None:
    """Wait until an image can be made of a snapshot; `cloud-image-failed` if AWS gives it up."""

    def look() -> bool | None:
        state = state_of(aws, region, snapshot)
        if state == "error":
            raise BootimgError(
                "cloud-image-failed",
                f"AWS could not complete the snapshot {snapshot} in {region}",
                hint=f"run the same command again; delete {snapshot}, which is of no use",
            )
        return True if state == "completed" else None

    what = f"the snapshot {snapshot} in {region}"
    aws.means.retry.wait_for(what, look, every=_EVERY, longest=_LONGEST)
