"""The verb upload: the artifact in OSS, imported by ECS in the primary region."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.cloud.plugin import GIB, BootimgError, Done, ExitCode, Means, PlaceJob, Task

from .client import Aliyun
from .images import FAILED, USABLE, Image, find_image, publish, remove_failed, wait_usable
from .naming import image_description, image_name, image_tags
from .objects import Object

_REGION = "name the region with --region, or `primary_region` in the block of the cloud"
_BUCKET = "--bucket NAME/PREFIX, or `bucket` in the block of the cloud"
_STEP = "import"
_QCOW2 = struct.Struct(">4sIQIIQ")


@dataclass(frozen=True, slots=True)
class _Import:
    """Where the artifact goes on its way."""

    region: str
    bucket: str
    key: str
    public: bool


def plan_upload(task: Task, means: Means) -> Sequence[PlaceJob]:
    """One job, in the primary region."""
    region = task.settings.needed("primary_region", _REGION)
    # All settings are read before anything is sent.
    image_name(task)
    image_tags(task)
    bucket, _, prefix = task.settings.needed("bucket", _BUCKET).removeprefix("oss://").partition("/")
    key = "/".join(filter(None, (prefix.strip("/"), task.content.name)))
    plan = _Import(region, bucket, key, task.settings.flag("public"))
    aliyun = Aliyun(task.settings, means)
    return [PlaceJob(region, lambda means: _upload(aliyun.at(means), plan, task))]


def _upload(aliyun: Aliyun, plan: _Import, task: Task) -> Done:
    region = plan.region
    image = find_image(aliyun, region, task)
    if image is not None and image.state in FAILED:
        remove_failed(aliyun, region, image.id, _STEP, _subject(plan, task))
        image = None
    made = image is None
    if image is None:
        image = _import(aliyun, plan, task)
    elif image.state not in USABLE or _was_interrupted(aliyun, plan, task):
        image = _finish(aliyun, plan, task, image.id)
    hidden = plan.public and not image.public
    if hidden:
        publish(aliyun, region, image.id)
    return Done(image.id, {"name": region, task.upload.id_field: image.id}, cached=not (made or hidden))


def _import(aliyun: Aliyun, plan: _Import, task: Task) -> Image:
    target = _object(aliyun, plan, task)
    with task.content.file() as path:
        gib = -(-_virtual_size(path) // GIB)
        target.put(path)
    token = "<token>" if aliyun.dry_run else aliyun.means.journal.token(_STEP, _subject(plan, task))
    answer = aliyun.write(
        plan.region, "ImportImage", instead={"ImageId": "<the new image>"}, needs="ImageId",
        ImageName=image_name(task), Description=image_description(task), Architecture=task.arch,
        DiskDeviceMapping=[{"Format": "qcow2", "OSSBucket": plan.bucket, "OSSObject": plan.key,
                            "DiskImageSize": gib, "Device": "/dev/xvda"}],
        ClientToken=token, Tag=image_tags(task), **_role(task),
    )  # fmt: skip
    return _finish(aliyun, plan, task, str(answer["ImageId"]))


def _finish(aliyun: Aliyun, plan: _Import, task: Task, image_id: str) -> Image:
    """The image when ECS has imported it; the object is deleted then."""
    image = Image(id=image_id, name=image_name(task), state="planned")
    if not aliyun.dry_run:
        with aliyun.means.events.step(plan.region, f"ECS imports {image.name}", total=None) as step:
            try:
                image = wait_usable(aliyun, plan.region, image_id)
            except BootimgError as error:
                if error.id == "cloud-image-failed":
                    # The token of an import that failed would lead to the same image again.
                    aliyun.means.journal.note(_STEP, "failed", _subject(plan, task))
                raise
            step.result(image.id)
    _object(aliyun, plan, task).delete()
    if not aliyun.dry_run:
        aliyun.means.journal.note(_STEP, "done", _subject(plan, task), image=image.id)
    return image


def _was_interrupted(aliyun: Aliyun, plan: _Import, task: Task) -> bool:
    """Whether an earlier run has left the object."""
    return aliyun.means.journal.last(_STEP, _subject(plan, task)).get("state") == "begun"


def _object(aliyun: Aliyun, plan: _Import, task: Task) -> Object:
    return Object(aliyun, plan.region, plan.bucket, plan.key, task.content.sha256)


def _subject(plan: _Import, task: Task) -> str:
    return f"{plan.region} {image_name(task)} {task.content.sha256}"


def _role(task: Task) -> dict[str, str]:
    role = task.settings.text("import_role")
    return {"RoleName": role} if role else {}


def _virtual_size(path: Path) -> int:
    """The size of the disk in a qcow2 file, from its header."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(fd, _QCOW2.size, 0)
    finally:
        os.close(fd)
    if len(data) < _QCOW2.size or data[:4] != b"QFI\xfb":
        raise BootimgError(
            "cloud-setting-invalid",
            f"ECS imports qcow2 files, and {path.name} is none",
            hint="build the artifact again",
            exit_code=ExitCode.USAGE,
        )
    return int(_QCOW2.unpack(data)[5])
