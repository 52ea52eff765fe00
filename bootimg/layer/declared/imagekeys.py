"""The keys of image.json that coreos-assembler knows or once knew, besides those a disk is made by.

With those of the module `imagejson` these are all.  Another key is refused, because a misspelt one would
otherwise be ignored.  docs/layer-configuration.md has the table.
"""

from __future__ import annotations

from collections.abc import Mapping

LATER: Mapping[str, str] = {
    "vmware-hw-version": "the OVF description",
    "vmware-os-type": "the OVF description",
    "vmware-secure-boot": "the OVF description",
    "aws-imdsv2-only": "the upload to AWS",
    "aws-volume-type": "the upload to AWS",
    "aws-x86-boot-mode": "the upload to AWS",
    "live-rootfs-fstype": "live media",
    "live-rootfs-fsoptions": "live media",
    "squashfs-compression": "live media, until live-rootfs-fsoptions came",
}
"""Keys that do not change a disk, and what reads them."""

VALUES: Mapping[str, tuple[object, ...]] = {
    "rootfs": ("xfs",),
    "rootfs-args": ("",),
    "bootfs": ("ext4",),
    "bootfs_metadata_csum_seed": (True, "true", 1),
    "composefs": (False, None),
    "luks_rootfs": (False, None, "", "no"),
    "ignition-network-kcmdline": ([], None),
    "deploy-via-container": (True, "true"),
}
"""Keys of older versions of coreos-assembler that change the disk, and the values that mean our own."""

HARMLESS: Mapping[str, str] = {
    "ostree-remote": "updates come from a container image, never from a remote of ostree",
    "ostree-format": "how coreos-assembler made a container image of the commit, which is done",
}
"""Keys that have no meaning for a disk that is made of a container image, and why."""
