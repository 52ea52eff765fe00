"""A snapshot that AWS imports from an artifact in a bucket, where EBS direct is not allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootimg.cloud.plugin import BootimgError, ExitCode, Task

from .client import Aws
from .images import add_tags
from .naming import SHA256, image_name, image_tags, specification, tags_of
from .objects import delete_file, put_file
from .snapshots import PLANNED, wait_completed

_FORMATS = {".vmdk": "VMDK", ".vhd": "VHD", ".raw": "RAW"}
_EVERY, _LONGEST = 20.0, 4 * 60 * 60.0
_RUNNING, _GIVEN_UP = ("active", "pending"), ("cancelled", "cancelling", "deleted", "deleting")
_STEP = "import"


def import_snapshot(aws: Aws, region: str, task: Task) -> str:
    """A complete snapshot of the artifact; continues a task that an earlier run has begun."""
    bucket, key, disk_format = _place(task)
    running = _running(aws, region, task)
    if running is None:
        with task.content.file() as path:
            put_file(aws, region, bucket, key, path, task.content.sha256)
        running = _start(aws, region, task, bucket, key, disk_format)
    snapshot = PLANNED
    if not aws.dry_run:
        snapshot = _wait(aws, region, task, running)
        wait_completed(aws, region, snapshot)
    add_tags(aws, region, snapshot, {}, image_tags(task))
    aws.means.journal.note(_STEP, "done", _subject(region, task), snapshot=snapshot)
    delete_file(aws, region, bucket, key)
    return snapshot


def _place(task: Task) -> tuple[str, str, str]:
    where = task.settings.needed("bucket", "--bucket NAME/PREFIX, or `bucket` in the block of the cloud")
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    name = task.content.name
    found = [each for suffix, each in _FORMATS.items() if name.endswith(suffix)]
    if not found:
        raise BootimgError(
            "cloud-setting-invalid",
            f"AWS imports no file such as {name}",
            hint="use --via ebs",
            exit_code=ExitCode.USAGE,
        )
    return bucket, "/".join(filter(None, (prefix.strip("/"), name))), found[0]


def _subject(region: str, task: Task) -> str:
    return f"{region} {image_name(task)} {task.content.sha256}"


def _running(aws: Aws, region: str, task: Task) -> str | None:
    """The task of this image that runs, found by its description and tag."""
    for each in aws.every("ec2", region, "DescribeImportSnapshotTasks", "ImportSnapshotTasks"):
        status = each.get("SnapshotTaskDetail", {}).get("Status")
        same = tags_of(each).get(SHA256) == task.content.sha256
        if each.get("Description") == image_name(task) and same and status in _RUNNING:
            return str(each["ImportTaskId"])
    return None


def _start(aws: Aws, region: str, task: Task, bucket: str, key: str, disk_format: str) -> str:
    token = "<token>" if aws.dry_run else aws.means.journal.token(_STEP, _subject(region, task))
    answer = aws.write(
        "ec2", region, "ImportSnapshot", instead={"ImportTaskId": "<the new task>"}, ClientToken=token,
        Description=image_name(task), RoleName=task.settings.text("import_role") or "vmimport",
        DiskContainer={"Description": image_name(task), "Format": disk_format,
                       "UserBucket": {"S3Bucket": bucket, "S3Key": key}},
        TagSpecifications=specification(image_tags(task), "import-snapshot-task"),
    )  # fmt: skip
    return str(answer["ImportTaskId"])


def _wait(aws: Aws, region: str, task: Task, running: str) -> str:
    """The snapshot of the task; `cloud-image-failed` if AWS gives the task up."""

    def look() -> str | None:
        answer = aws.read("ec2", region, "DescribeImportSnapshotTasks", fresh=True, ImportTaskIds=[running])
        detail: Mapping[str, Any] = (answer["ImportSnapshotTasks"] or [{}])[0].get("SnapshotTaskDetail", {})
        if detail.get("Status") in _GIVEN_UP:
            aws.means.journal.note(_STEP, "failed", _subject(region, task))
            raise BootimgError(
                "cloud-image-failed",
                f"AWS did not import the snapshot in {region}: {running} is {detail['Status']}",
                context=[str(detail["StatusMessage"])[:300]] if detail.get("StatusMessage") else [],
                hint="the file stays in the bucket, and the same command imports it again",
            )
        percent = int(detail.get("Progress") or 0)
        step.advance(max(0, percent - step.done))
        return str(detail["SnapshotId"]) if detail.get("Status") == "completed" else None

    with aws.means.events.step(region, f"AWS imports {image_name(task)}", total=100, unit="%") as step:
        return aws.means.retry.wait_for(f"{running} in {region}", look, every=_EVERY, longest=_LONGEST)
