"""AMIs: found by name, waited for, tagged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.cloud.plugin import BootimgError, Task

from .client import Aws
from .naming import SHA256, image_name, tag_list, tags_of

_LONGEST = 2 * 60 * 60.0
_EVERY = 15.0
_USABLE = ("available", "pending", "transient", "disabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An AMI and the snapshot of its root disk; the snapshot is empty until AWS has made it."""

    id: str
    state: str
    name: str = ""
    owner: str = ""
    snapshot: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    deprecated_at: str | None = None
    reason: str = ""

    @property
    def is_planned(self) -> bool:
        """Whether it stands for the image that a dry run would make."""
        return self.state == "planned"


def planned(snapshot: str) -> Image:
    """The image that a dry run would make."""
    return Image(id="<the new image>", state="planned", snapshot=snapshot)


def find_image(aws: Aws, region: str, task: Task) -> Image | None:
    """The account's own image of the task's name, if it is of this build; None if there is none.

    Errors: `cloud-image-foreign`, `cloud-image-ambiguous`.
    """
    name = image_name(task)
    answer = aws.read(
        "ec2", region, "DescribeImages", Owners=["self"], Filters=[{"Name": "name", "Values": [name]}],
        IncludeDeprecated=True, IncludeDisabled=True,
    )  # fmt: skip
    found = [image for image in map(_image, answer["Images"]) if image.state in _USABLE]
    if len(found) > 1:
        raise BootimgError(
            "cloud-image-ambiguous",
            f"{region} has {len(found)} images of the name {name}",
            context=[f"{each.id} with the snapshot {each.snapshot}" for each in found],
            hint="deregister all but one",
        )
    if not found:
        return None
    _require_ours(found[0], region, task)
    return found[0]


def _require_ours(image: Image, region: str, task: Task) -> None:
    recorded = [each[task.upload.id_field] for each in task.entries if each["name"] == region]
    if image.id in recorded or image.tags.get(SHA256) == task.content.sha256:
        return
    has = image.tags.get(SHA256)
    raise BootimgError(
        "cloud-image-foreign",
        f"{region} has another image of the name {image_name(task)}: {image.id}",
        context=[
            f"its tag {SHA256} is {has or 'missing'}, and meta.json does not list it",
            f"the artifact of this build is {task.content.sha256}",
        ],
        hint="find out whose it is; deregister it, or give the build another id",
    )


def image_by_id(aws: Aws, region: str, image_id: str) -> Image:
    """An image that meta.json lists; `cloud-image-missing` if AWS does not have it."""
    found = find_by_id(aws, region, image_id)
    if found is None:
        raise BootimgError(
            "cloud-image-missing",
            f"{region} does not have the image {image_id}, which meta.json lists",
            hint="it was deregistered, or it belongs to another account: check the credentials",
        )
    return found


def find_by_id(aws: Aws, region: str, image_id: str, *, own: bool = True) -> Image | None:
    """An image of the account, or with `own=False` of any account that lets us see it; None without one."""
    owners: dict[str, Any] = {"Owners": ["self"]} if own else {}
    answer = aws.read(
        "ec2", region, "DescribeImages", Filters=[{"Name": "image-id", "Values": [image_id]}],
        IncludeDeprecated=True, IncludeDisabled=True, **owners,
    )  # fmt: skip
    return _image(answer["Images"][0]) if answer["Images"] else None


def wait_available(aws: Aws, region: str, image_id: str) -> Image:
    """The image once it can be used; `cloud-image-failed` if AWS gives it up."""

    def look() -> Image | None:
        answer = aws.read("ec2", region, "DescribeImages", fresh=True, ImageIds=[image_id],
                          IncludeDeprecated=True, IncludeDisabled=True)  # fmt: skip
        images = [_image(each) for each in answer["Images"]]
        image = images[0] if images else None
        if image is not None and image.state not in _USABLE:
            raise BootimgError(
                "cloud-image-failed",
                f"AWS could not make the image {image_id} in {region}: it is {image.state}",
                context=[image.reason] if image.reason else [],
                hint=f"run the same command again; deregister {image_id}, which is of no use",
            )
        return image if image and image.state in ("available", "disabled") and image.snapshot else None

    return aws.means.retry.wait_for(f"the image {image_id} in {region}", look, every=_EVERY, longest=_LONGEST)


def add_tags(aws: Aws, region: str, thing: str, has: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    """Give an image or a snapshot the tags that it lacks; whether it lacked any."""
    missing = {key: value for key, value in tags.items() if has.get(key) != value}
    if missing:
        aws.write("ec2", region, "CreateTags", fresh=True, Resources=[thing], Tags=tag_list(missing))
    return bool(missing)


def _image(answer: Mapping[str, Any]) -> Image:
    return Image(
        id=str(answer["ImageId"]),
        state=str(answer.get("State", "")),
        name=str(answer.get("Name", "")),
        owner=str(answer.get("OwnerId", "")),
        snapshot=_snapshot(answer),
        description=str(answer.get("Description") or ""),
        tags=tags_of(answer),
        deprecated_at=answer.get("DeprecationTime"),
        reason=str(answer.get("StateReason", {}).get("Message", "")),
    )


def _snapshot(answer: Mapping[str, Any]) -> str:
    # The root disk is usually the first of the devices, but not always.
    devices = [each["Ebs"] for each in answer.get("BlockDeviceMappings", ()) if "Ebs" in each]
    return next((str(each["SnapshotId"]) for each in devices if each.get("SnapshotId")), "")
