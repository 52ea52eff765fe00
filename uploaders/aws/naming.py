"""The names and tags of images and snapshots; the names are coreos-assembler's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bootimg.cloud.plugin import BootimgError, ExitCode, Task

SHA256 = "bootimg:sha256"
"""The tag with the digest of the uncompressed artifact: whether an image is of this very build."""
BUILD = "bootimg:build"
_NAME = re.compile(r"[A-Za-z0-9()\[\] ./'@_-]{3,128}")
_WINDOWS = "aws-winli"


def is_windows(task: Task) -> bool:
    """Whether the task is about images with a licence of Windows, which are for hosts of Hyper-V."""
    return task.upload.extension == _WINDOWS


def image_name(task: Task) -> str:
    """The name of image and snapshot; `cloud-name-invalid` if AWS does not allow it."""
    name = "-".join((task.name, *(("winli",) if is_windows(task) else ()), task.build, task.arch))
    if not _NAME.fullmatch(name):
        raise BootimgError(
            "cloud-name-invalid",
            f"AWS does not allow the name {name!r:.200} for an image",
            hint="it has 3 to 128 letters, digits and ()[] ./-'@_",
            exit_code=ExitCode.USAGE,
        )
    return name


def image_description(task: Task) -> str:
    """The description of an image."""
    windows = " Windows License Included" if is_windows(task) else ""
    return f"{task.summary} {task.build} {task.arch}{windows}"[:255]


def image_tags(task: Task) -> dict[str, str]:
    """The tags of image and snapshot: those of the settings and ours."""
    own = {"Name": image_name(task), SHA256: task.content.sha256, BUILD: f"{task.build}/{task.arch}"}
    return {**task.settings.pairs("tags"), **own}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """The tags of an image or a snapshot in an answer."""
    return {str(each["Key"]): str(each["Value"]) for each in thing.get("Tags", ())}


def specification(tags: Mapping[str, str], *kinds: str) -> Sequence[Mapping[str, Any]]:
    """The parameter that gives tags to what a call makes."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in kinds]
