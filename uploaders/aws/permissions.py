"""Who may use an image and its snapshot.  An image is of use to others only with both permissions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .client import Aws

Permission = Mapping[str, str]
PUBLIC: Permission = {"Group": "all"}
_LAUNCH, _VOLUME = "launchPermission", "createVolumePermission"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The permissions of an image, and those of its snapshot."""

    launch: tuple[Permission, ...] = ()
    volume: tuple[Permission, ...] = ()


def for_both(permissions: Iterable[Permission]) -> Permissions:
    """The same permissions for image and snapshot."""
    found = tuple(permissions)
    return Permissions(launch=found, volume=found)


def to_accounts(accounts: Iterable[str]) -> list[Permission]:
    """The permissions of accounts."""
    return [{"UserId": each} for each in accounts]


def permissions_of(aws: Aws, region: str, image: str, snapshot: str) -> Permissions:
    """The permissions that an image and its snapshot have."""
    launch = aws.read("ec2", region, "DescribeImageAttribute", fresh=True, ImageId=image, Attribute=_LAUNCH)
    volume = aws.read(
        "ec2", region, "DescribeSnapshotAttribute", fresh=True, SnapshotId=snapshot, Attribute=_VOLUME
    )
    return Permissions(
        launch=tuple(launch.get("LaunchPermissions", ())),
        volume=tuple(volume.get("CreateVolumePermissions", ())),
    )


def grant(
    aws: Aws, region: str, image: str, snapshot: str, wanted: Permissions, has: Permissions | None = None
) -> bool:
    """Add the permissions that are missing, first to the snapshot; whether any were missing.

    `has` are those that it has, if they are known.
    """
    if not (wanted.launch or wanted.volume):
        return False
    has = permissions_of(aws, region, image, snapshot) if has is None else has
    volume = [dict(each) for each in wanted.volume if each not in has.volume]
    launch = [dict(each) for each in wanted.launch if each not in has.launch]
    if volume:
        aws.write("ec2", region, "ModifySnapshotAttribute", SnapshotId=snapshot, Attribute=_VOLUME,
                  CreateVolumePermission={"Add": volume}, fresh=True)  # fmt: skip
    if launch:
        aws.write("ec2", region, "ModifyImageAttribute", ImageId=image, Attribute=_LAUNCH,
                  LaunchPermission={"Add": launch}, fresh=True)  # fmt: skip
    return bool(volume or launch)
