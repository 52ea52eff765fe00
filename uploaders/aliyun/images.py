"""Images of ECS: found by name, waited for, shown to others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.cloud.plugin import BootimgError, Task

from .client import Aliyun
from .naming import SHA256, image_name, tags_of

_STATES = "Creating,Waiting,Available,UnAvailable,CreateFailed,Deprecated"
"""All; without them ECS shows only available images."""
FAILED = ("UnAvailable", "CreateFailed")
USABLE = ("Available", "Deprecated")
# One copy at a time is made in a region, and others of the account wait for it.
_EVERY, _LONGEST = 15.0, 6 * 60 * 60.0
_APPEARS = 12
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A custom image."""

    id: str
    name: str
    state: str
    public: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    snapshots: tuple[str, ...] = ()


def find_image(aliyun: Aliyun, region: str, task: Task) -> Image | None:
    """The account's own image of the task's name, if it is of this build; None if there is none.

    Errors: `cloud-image-foreign`, `cloud-image-ambiguous`.
    """
    name = image_name(task)
    # ECS finds names that are only similar, too.
    found = [each for each in _images(aliyun, region, ImageName=name) if each.name == name]
    if len(found) > 1:
        raise BootimgError(
            "cloud-image-ambiguous",
            f"{region} has {len(found)} images of the name {name}",
            context=[each.id for each in found],
            hint="delete all but one",
        )
    if not found:
        return None
    require_ours(found[0], region, task)
    return found[0]


def require_ours(image: Image, region: str, task: Task) -> None:
    """Refuse an image that is not of this build; one without a digest has to be listed in meta.json."""
    has = image.tags.get(SHA256)
    listed = any((each["name"], each["id"]) == (region, image.id) for each in task.entries)
    if has == task.content.sha256 or (has is None and listed):
        return
    raise BootimgError(
        "cloud-image-foreign",
        f"{region} has another image of the name {image.name}: {image.id}",
        context=[
            f"its tag {SHA256} is {has or 'missing'}{'' if listed else ', and meta.json does not list it'}",
            f"the artifact of this build is {task.content.sha256}",
        ],
        hint="find out whose it is; delete it, or give the build another id",
    )


def image_by_id(aliyun: Aliyun, region: str, image: str) -> Image | None:
    """An image of the account; None if there is none of this id."""
    found = list(_images(aliyun, region, ImageId=image))
    return found[0] if found else None


def wait_usable(aliyun: Aliyun, region: str, image: str) -> Image:
    """The image once it can be used; `cloud-image-failed` if ECS gives it up."""
    unseen = 0

    def look() -> Image | None:
        nonlocal unseen
        found = image_by_id(aliyun, region, image)
        unseen = unseen + 1 if found is None else 0
        if unseen > _APPEARS or (found is not None and found.state in FAILED):
            raise BootimgError(
                "cloud-image-failed",
                f"ECS could not make the image {image} in {region}: it is {found.state if found else 'gone'}",
                hint="run the same command again: it deletes the image that failed, and makes another",
            )
        return found if found is not None and found.state in USABLE else None

    return aliyun.means.retry.wait_for(f"the image {image} in {region}", look, every=_EVERY, longest=_LONGEST)


def remove_failed(aliyun: Aliyun, region: str, image: str, step: str, subject: str) -> None:
    """Delete an image that ECS gave up; the token of `step` would lead to the same image again."""
    aliyun.write(region, "DeleteImage", ImageId=image, Force=True)
    aliyun.means.journal.note(step, "failed", subject)


def publish(aliyun: Aliyun, region: str, image: str) -> None:
    """Let everybody use an image."""
    aliyun.write(region, "ModifyImageSharePermission", ImageId=image, IsPublic=True)


def _images(aliyun: Aliyun, region: str, **which: str) -> list[Image]:
    answer = aliyun.read(region, "DescribeImages", needs="Images", ImageOwnerAlias="self", Status=_STATES,
                         PageSize=_PAGE, **which)  # fmt: skip
    return [_image(each) for each in answer["Images"].get("Image", ())]


def _image(answer: Mapping[str, Any]) -> Image:
    devices = answer.get("DiskDeviceMappings", {}).get("DiskDeviceMapping", ())
    return Image(
        id=str(answer["ImageId"]),
        name=str(answer.get("ImageName", "")),
        state=str(answer.get("Status", "")),
        public=bool(answer.get("IsPublic")),
        tags=tags_of(answer),
        snapshots=tuple(str(each["SnapshotId"]) for each in devices if each.get("SnapshotId")),
    )
