"""The names of images and objects, which are coreos-assembler's, and the labels of images."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from bootimg.cloud.plugin import BootimgError, ExitCode, Task

SHA256 = "bootimg-sha256"
"""The label and the object's metadata with the digest of the artifact: whether it is of this very build.

A label has at most 63 characters, so that of an image lacks the digest's last one.
"""
BUILD = "bootimg-build"
PUBLIC_ADDRESS = "https://storage.googleapis.com"
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][-_a-z0-9]{0,62}")
_LABEL = re.compile(r"[-_a-z0-9]{0,63}")
_MEMBER = re.compile(r"(user|group|serviceAccount|domain|principal|principalSet):\S+")
_LABELS_MOST = 63


def image_name(task: Task) -> str:
    """The name of image and object; `cloud-name-invalid` if Google does not allow it."""
    name = re.sub(r"[_.]", "-", f"{task.name}-{task.build}-gcp.{task.arch}")
    if not _NAME.fullmatch(name):
        raise BootimgError(
            "cloud-name-invalid",
            f"Google does not allow the name {name!r:.200} for an image",
            hint="it has up to 63 lowercase letters, digits and dashes, and begins with a letter",
            exit_code=ExitCode.USAGE,
        )
    return name


def object_place(task: Task) -> tuple[str, str]:
    """The bucket and the object's name in it."""
    where = task.settings.needed("bucket", "--bucket NAME/PREFIX, or `bucket` in the block of the cloud")
    bucket, _, prefix = where.removeprefix("gs://").partition("/")
    return bucket, "/".join(filter(None, (prefix.strip("/"), f"{image_name(task)}.tar.gz")))


def object_address(bucket: str, key: str) -> str:
    """The address of an object, as meta.json has it and as Compute Engine reads it."""
    return f"{PUBLIC_ADDRESS}/{bucket}/{key}"


def place_in(address: str) -> tuple[str, str] | None:
    """The bucket and the object's name of an address in meta.json; None if it is none of Cloud Storage."""
    bucket, _, key = address.removeprefix(f"{PUBLIC_ADDRESS}/").partition("/")
    return (bucket, key) if address.startswith(f"{PUBLIC_ADDRESS}/") and bucket and key else None


def image_description(task: Task) -> str:
    """The description of an image; the words of the settings are those of the pipeline."""
    text = task.settings.text("description") or f"{task.summary} {task.build} {task.arch}"
    words = {"BUILDID": task.build, "BASEARCH": task.arch, "DATE": f"{datetime.now(UTC):%Y-%m-%d}"}
    for word, value in words.items():
        text = text.replace(f"${{{word}}}", value)
    return text


def image_labels(task: Task) -> dict[str, str]:
    """The labels of the settings and ours."""
    given = task.settings.pairs("tags")
    for key, value in given.items():
        if not (_LABEL_KEY.fullmatch(key) and _LABEL.fullmatch(value)):
            raise task.settings.invalid(
                f"{key}={value} cannot be a label: it has up to 63 lowercase letters, digits, - and _"
            )
    build = re.sub(r"[^-_a-z0-9]", "-", task.build.lower())[:_LABELS_MOST]
    return {**given, SHA256: label_of(task.content.sha256), BUILD: build}


def label_of(sha256: str) -> str:
    """A digest as a label."""
    return sha256[:_LABELS_MOST]


def image_family(task: Task) -> str | None:
    """The family of the settings for the task's architecture, if they have one."""
    value = task.settings.values.get("family")
    found = value.get(task.arch) if isinstance(value, dict) else task.settings.text("family")
    if found is not None and not (isinstance(found, str) and _NAME.fullmatch(found)):
        raise task.settings.invalid(f"the family is {found!r:.80}, which Google does not allow as a name")
    return found


def members(task: Task) -> tuple[str, ...]:
    """Those of `grant_users`; `cloud-setting-invalid` for what is no member of an IAM policy."""
    found = task.settings.texts("grant_users")
    for each in found:
        if not _MEMBER.fullmatch(each):
            raise task.settings.invalid(f"{each!r:.80} is not user:, group:, serviceAccount: or domain:NAME")
    return found
