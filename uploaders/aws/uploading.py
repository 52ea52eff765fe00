"""The verb upload: snapshot and AMI in the primary region, with their tags and permissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootimg.cloud.plugin import GIB, Done, Means, PlaceJob, Task

from .client import Aws
from .ebs import write_snapshot
from .faults import AwsError
from .images import Image, add_tags, find_image, planned, wait_available
from .importing import import_snapshot
from .naming import image_description, image_name, image_tags, is_windows, specification
from .permissions import PUBLIC, Permissions, for_both, grant, to_accounts
from .snapshots import find_snapshots, snapshot_gib

_REGION = "name the region with --region, or `primary_region` in the block of the cloud"
_ARCHES = {"x86_64": "x86_64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What image.json says of the AMI."""

    boot_mode: str
    volume_type: str
    imds: Mapping[str, str]
    billing: Mapping[str, Sequence[str]]


def plan_upload(task: Task, means: Means) -> Sequence[PlaceJob]:
    """One job, in the primary region."""
    region = primary_region(task)
    # All settings are read before anything is sent.
    image_tags(task)
    _wanted_permissions(task)
    attributes, how = attributes_of(task), task.settings.one_of("via", "ebs", "s3")
    aws = Aws(task.settings, means)
    return [PlaceJob(region, lambda means: _upload(aws.at(means), region, task, attributes, how))]


def primary_region(task: Task) -> str:
    """The region where images are made."""
    return task.settings.needed("primary_region", _REGION)


def attributes_of(task: Task) -> Attributes:
    """The attributes; `cloud-setting-invalid` for a value that AWS does not know."""
    declared = task.needed_declared()
    x86 = declared.get("aws-x86-boot-mode") or "uefi-preferred"
    if x86 not in ("legacy-bios", "uefi", "uefi-preferred"):
        raise task.settings.invalid(f"aws-x86-boot-mode of image.json is {x86!r:.80}")
    billing: dict[str, Sequence[str]] = {}
    if is_windows(task):
        code = task.settings.needed("winli_billing_code", "the billing product comes from AWS")
        billing = {"BillingProducts": [code]}
    return Attributes(
        boot_mode="uefi" if task.arch == "aarch64" else x86,
        volume_type=str(declared.get("aws-volume-type") or "gp3"),
        imds={"ImdsSupport": "v2.0"} if declared.get("aws-imdsv2-only") is True else {},
        billing=billing,
    )


def _upload(aws: Aws, region: str, task: Task, attributes: Attributes, how: str) -> Done:
    image = find_image(aws, region, task)
    made = image is None
    if image is None:
        snapshot = _snapshot(aws, region, task, how)
        image = _register(aws, region, task, attributes, snapshot)
    elif image.state != "available":
        image = wait_available(aws, region, image.id)
    tags = image_tags(task)
    changed = False if image.is_planned else add_tags(aws, region, image.id, image.tags, tags)
    changed |= _share(aws, region, task, image)
    text = f"{image.id} from {image.snapshot}"
    entry = {"name": region, task.upload.id_field: image.id, "snapshot": image.snapshot}
    return Done(text, entry, cached=not (made or changed))


def _snapshot(aws: Aws, region: str, task: Task, how: str) -> str:
    if is_windows(task):
        return _source_snapshot(region, task)
    complete = find_snapshots(aws, region, task, "completed")
    if complete:
        return str(complete[0]["SnapshotId"])
    return import_snapshot(aws, region, task) if how == "s3" else write_snapshot(aws, region, task)


def _source_snapshot(region: str, task: Task) -> str:
    """The snapshot of the image without a licence, which the platform's first upload has made."""
    others = [entries for key, entries in task.recorded.items() if key != task.upload.meta_key]
    found = [str(each["snapshot"]) for entries in others for each in entries
             if each["name"] == region and each.get("snapshot")]  # fmt: skip
    if not found:
        raise task.settings.invalid(
            f"meta.json lists no image in {region} whose snapshot {image_name(task)} could be made of"
        )
    return found[0]


def _register(aws: Aws, region: str, task: Task, attributes: Attributes, snapshot: str) -> Image:
    parameters: dict[str, Any] = {
        "Name": image_name(task),
        "Description": image_description(task),
        "Architecture": _ARCHES[task.arch],
        "VirtualizationType": "hvm",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": _devices(attributes, snapshot, _gib(aws, region, task, snapshot)),
        "EnaSupport": True,
        "SriovNetSupport": "simple",
        "BootMode": attributes.boot_mode,
        "TagSpecifications": specification(image_tags(task), "image"),
        **attributes.imds,
        **attributes.billing,
    }
    try:
        answer = aws.write("ec2", region, "RegisterImage", instead={"ImageId": ""}, fresh=True,
                           expected=("InvalidAMIName.Duplicate",), **parameters)  # fmt: skip
    except AwsError:
        # An earlier call made it, and its answer was lost.
        return _made_before(aws, region, task)
    if aws.dry_run:
        return planned(snapshot)
    return wait_available(aws, region, str(answer["ImageId"]))


def _made_before(aws: Aws, region: str, task: Task) -> Image:
    look = aws.means.retry.wait_for(
        f"the image {image_name(task)} in {region}",
        lambda: find_image(aws, region, task),
        every=10.0,
        longest=300.0,
    )
    return wait_available(aws, region, look.id)


def _gib(aws: Aws, region: str, task: Task, snapshot: str) -> int:
    if snapshot.startswith("<"):
        with task.content.disk() as source:
            return -(-source.size // GIB)
    return snapshot_gib(aws, region, snapshot)


def _devices(attributes: Attributes, snapshot: str, gib: int) -> list[dict[str, Any]]:
    root = {
        "SnapshotId": snapshot,
        "DeleteOnTermination": True,
        "VolumeSize": gib,
        "VolumeType": attributes.volume_type,
    }
    return [
        {"DeviceName": "/dev/xvda", "Ebs": root},
        {"DeviceName": "/dev/xvdb", "VirtualName": "ephemeral0"},
    ]


def _wanted_permissions(task: Task) -> Permissions:
    wanted = to_accounts(task.settings.texts("grant_users"))
    return for_both([*wanted, PUBLIC] if task.settings.flag("public") else wanted)


def _share(aws: Aws, region: str, task: Task, image: Image) -> bool:
    """Give the permissions of the settings; whether any were missing."""
    has = for_both(()) if image.is_planned else None
    return grant(aws, region, image.id, image.snapshot, _wanted_permissions(task), has)
