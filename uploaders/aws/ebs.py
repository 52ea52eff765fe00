"""A snapshot written block by block through the EBS direct API: no bucket, no file, no import.

Only blocks that are not all zeros are sent.  The last block is filled up with zeros.
"""

from __future__ import annotations

import base64
import hashlib

from bootimg.cloud.plugin import (
    GIB,
    KIB,
    BootimgError,
    Call,
    Part,
    Source,
    Task,
    send_parts,
    unsent,
    used_parts,
)

from .client import Aws
from .naming import image_description, image_name, image_tags, tag_list
from .snapshots import PLANNED, find_snapshots, state_of, wait_completed

BLOCK = 512 * KIB
_TIMEOUT = 24 * 60
"""Minutes without a call after which AWS gives an incomplete snapshot up."""
_STEP = "snapshot"


def write_snapshot(aws: Aws, region: str, task: Task) -> str:
    """A complete snapshot of the disk; continues one that an earlier run has begun."""
    with task.content.disk() as source:
        parts = list(used_parts(source, BLOCK))
        snapshot = _begun(aws, region, task) or _start(aws, region, task, source)
        _send(aws, region, task, source, parts, snapshot)
    if not aws.dry_run:
        wait_completed(aws, region, snapshot)
        aws.means.journal.note(_STEP, "done", _subject(region, task), snapshot=snapshot)
    return snapshot


def _subject(region: str, task: Task) -> str:
    return f"{region} {image_name(task)} {task.content.sha256}"


def _begun(aws: Aws, region: str, task: Task) -> str | None:
    """The incomplete snapshot that an earlier run has left."""
    found = find_snapshots(aws, region, task, "pending", "error")
    pending = [str(each["SnapshotId"]) for each in found if each["State"] == "pending"]
    journal, subject = aws.means.journal, _subject(region, task)
    if found and not pending and journal.last(_STEP, subject).get("state") == "begun":
        # The token of a snapshot that AWS gave up would lead to the same snapshot again.
        journal.note(_STEP, "failed", subject)
    return pending[0] if pending else None


def _start(aws: Aws, region: str, task: Task, source: Source) -> str:
    token = "<token>" if aws.dry_run else aws.means.journal.token(_STEP, _subject(region, task))
    answer = aws.write(
        "ebs", region, "StartSnapshot", needs="SnapshotId", instead={"SnapshotId": PLANNED},
        ClientToken=token,
        VolumeSize=-(-source.size // GIB), Description=image_description(task), Timeout=_TIMEOUT,
        Tags=tag_list(image_tags(task)),
    )  # fmt: skip
    return str(answer["SnapshotId"])


def _send(aws: Aws, region: str, task: Task, source: Source, parts: list[Part], snapshot: str) -> None:
    means = aws.means
    rest = unsent(parts, snapshot, means.journal)
    call = Call(place=region, operation="ebs:PutSnapshotBlock", parameters={"SnapshotId": snapshot},
                times=len(parts) - len(means.journal.parts(snapshot)), note=f"{rest} bytes")  # fmt: skip

    def send() -> dict[int, str]:
        def put(part: Part) -> str:
            data = source.read(part.offset, part.length).ljust(BLOCK, b"\0")
            checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
            aws.read("ebs", region, "PutSnapshotBlock", fresh=True, SnapshotId=snapshot,
                     BlockIndex=part.number, BlockData=data, DataLength=BLOCK, Checksum=checksum,
                     ChecksumAlgorithm="SHA256")  # fmt: skip
            return checksum

        with means.events.step(region, f"{image_name(task)} to {snapshot}", total=rest) as step:
            return send_parts(parts, put, of=snapshot, journal=means.journal, workers=means.workers,
                              step=step, stop=means.stop)  # fmt: skip

    receipts: dict[int, str] = means.calls.make(call, send, {})
    _complete(aws, region, snapshot, [receipts[part.number] for part in parts if receipts], len(parts))


def _complete(aws: Aws, region: str, snapshot: str, checksums: list[str], blocks: int) -> None:
    """Complete the snapshot; the checksum is that of the blocks' checksums, in the order of the blocks."""
    digests = b"".join(map(base64.b64decode, checksums))
    total = base64.b64encode(hashlib.sha256(digests).digest()).decode()
    try:
        aws.write(
            "ebs", region, "CompleteSnapshot", SnapshotId=snapshot, ChangedBlocksCount=blocks,
            Checksum="<checksum>" if aws.dry_run else total, ChecksumAlgorithm="SHA256",
            ChecksumAggregationMethod="LINEAR"
        )  # fmt: skip
    except BootimgError:
        # The answer to an earlier call may have been lost: the snapshot is complete then.
        if state_of(aws, region, snapshot) != "completed":
            raise
