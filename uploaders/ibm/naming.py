"""The names of objects and buckets, and their entries in meta.json; all are coreos-assembler's."""

from __future__ import annotations

import re
from urllib.parse import quote

from bootimg.cloud.plugin import BootimgError, Entry, ExitCode, Task

from .client import ENDPOINT

SHA256 = "sha256"
"""The metadata with the digest of the uncompressed artifact: whether an object is of this very build."""
_POWER = "powervs"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OBJECT = re.compile(r"[A-Za-z0-9!_.*'()+-]{1,1024}")
_POWER_OBJECT = re.compile(r"[A-Za-z0-9_-]{1,1016}\.ova\.gz")


def object_name(task: Task) -> str:
    """The name of the object; `cloud-name-invalid` if the cloud does not allow it.

    The import of Power Virtual Server needs the suffix, and allows no other dots.
    """
    name = "-".join((task.name, task.build, task.arch, task.upload.meta_key))
    rule = _OBJECT
    if task.upload.meta_key == _POWER:
        name, rule = name.replace(".", "-") + ".ova.gz", _POWER_OBJECT
    if not rule.fullmatch(name):
        raise _invalid(name, "an object", "it has up to 1024 letters, digits and !_.*'()+-")
    return name


def bucket_name(task: Task, region: str) -> str:
    """The bucket of a region: the setting `bucket` and the region, as the pipeline has it."""
    prefix = task.settings.needed("bucket", "--bucket NAME, or `bucket` in the block of the cloud")
    name = f"{prefix}-{region}"
    if not _BUCKET.fullmatch(name):
        raise _invalid(name, "a bucket", "with the region it has 3 to 63 small letters, digits and .-")
    return name


def entry_of(region: str, bucket: str, key: str) -> Entry:
    """The entry of an object in meta.json."""
    url = f"{ENDPOINT.replace('{region}', region)}/{bucket}/{quote(key)}"
    return {"region": region, "object": key, "bucket": bucket, "url": url}


def _invalid(name: str, thing: str, rule: str) -> BootimgError:
    return BootimgError(
        "cloud-name-invalid",
        f"IBM Cloud does not allow the name {name!r:.200} for {thing}",
        hint=rule,
        exit_code=ExitCode.USAGE,
    )
