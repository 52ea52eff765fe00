"""The names and tags of images; the names are coreos-assembler's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bootimg.cloud.plugin import BootimgError, ExitCode, Task

SHA256 = "bootimg:sha256"
"""The tag with the digest of the uncompressed artifact: whether an image is of this very build."""
BUILD = "bootimg:build"
_NAME = re.compile(r"(?!https?://|acs:|aliyun)[A-Za-z][A-Za-z0-9:_.-]{1,127}")


def image_name(task: Task) -> str:
    """The name of the image; `cloud-name-invalid` if Alibaba Cloud does not allow it."""
    name = f"{task.name}-{task.build}"
    if not _NAME.fullmatch(name):
        raise BootimgError(
            "cloud-name-invalid",
            f"Alibaba Cloud does not allow the name {name!r:.200} for an image",
            hint="it has 2 to 128 letters, digits and :_.-, and begins with a letter",
            exit_code=ExitCode.USAGE,
        )
    return name


def image_description(task: Task) -> str:
    """The description of an image."""
    return f"{task.summary} {task.build}"[:256]


def image_tags(task: Task) -> list[dict[str, str]]:
    """The tags of an image, as ECS takes them: those of the settings and ours."""
    own = {SHA256: task.content.sha256, BUILD: f"{task.build}/{task.arch}"}
    tags = {**task.settings.pairs("tags"), **own}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(image: Mapping[str, Any]) -> dict[str, str]:
    """The tags of an image in an answer."""
    found = image.get("Tags", {}).get("Tag", ())
    return {str(each.get("TagKey")): str(each.get("TagValue")) for each in found}
