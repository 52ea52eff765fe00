"""Options of the root file system: what of image.json reaches a command line."""

from __future__ import annotations

from typing import Any

import pytest

from bootimg.errors import BootimgError
from bootimg.live.fsoptions import FsType, RootfsOptions, rootfs_options


@pytest.mark.parametrize(
    ("settings", "fstype", "words"),
    [
        ({}, "squashfs", ["-comp", "zstd"]),
        ({"live-rootfs-fstype": "erofs"}, "erofs", ["--quiet"]),
        ({"squashfs-compression": "gzip"}, "squashfs", ["-comp", "gzip"]),
        ({"live-rootfs-fsoptions": "-comp xz -b 1M -Xbcj x86 -no-fragments"}, "squashfs",
         ["-comp", "xz", "-b", "1M", "-Xbcj", "x86"]),
        # Those of Fedora CoreOS 42 and RHEL CoreOS 10.
        ({"live-rootfs-fstype": "erofs", "live-rootfs-fsoptions":
          "-zlzma,level=6 -Eall-fragments,fragdedupe=inode -C1048576 --quiet"}, "erofs",
         ["-zlzma,level=6", "-Eall-fragments,fragdedupe=inode", "-C1048576", "--quiet"]),
        ({"live-rootfs-fstype": "erofs", "live-rootfs-fsoptions": "-z zstd,3 -C 65536"}, "erofs",
         ["-zzstd,3", "-C65536"]),
        ({"live-rootfs-fstype": "erofs", "live-rootfs-fsoptions": "-z zstd,level=3 -C 65536"}, "erofs",
         ["-zzstd,level=3", "-C65536"]),
    ],
)  # fmt: skip
def test_known_options_are_passed_on(settings: dict[str, Any], fstype: str, words: list[str]) -> None:
    """osbuild's defaults, and what layers are known to set."""
    assert rootfs_options(settings) == RootfsOptions(FsType(fstype), tuple(words))


@pytest.mark.parametrize(
    "settings",
    [
        {"live-rootfs-fstype": "ext4"},
        {"live-rootfs-fstype": ["squashfs"]},
        {"live-rootfs-fsoptions": 5},
        {"live-rootfs-fsoptions": "-comp"},
        {"live-rootfs-fsoptions": "-comp zstd; rm"},
        {"live-rootfs-fsoptions": "-comp zip"},
        {"live-rootfs-fsoptions": "-no-xattrs"},
        {"live-rootfs-fsoptions": "-all-root"},
        {"live-rootfs-fsoptions": "-pf /etc/passwd"},
        {"live-rootfs-fsoptions": "/etc/passwd"},
        {"live-rootfs-fstype": "erofs", "live-rootfs-fsoptions": "-x-1"},
        {"live-rootfs-fstype": "erofs", "live-rootfs-fsoptions": "--blobdev=/etc/passwd"},
        {"live-rootfs-fstype": "erofs", "live-rootfs-fsoptions": "-Edot-omitted"},
        {"live-rootfs-fstype": "erofs", "live-rootfs-fsoptions": "-z"},
        {"live-rootfs-fstype": "erofs", "squashfs-compression": "zstd"},
        {"live-rootfs-fsoptions": "-comp zstd", "squashfs-compression": "zstd"},
        {"squashfs-compression": "zstd -pf /etc/passwd"},
    ],
)
def test_others_are_refused(settings: dict[str, Any]) -> None:
    """Options that name files of this machine or lose attributes, and values that are none."""
    with pytest.raises(BootimgError, match="live-rootfs-unsupported"):
        rootfs_options(settings)
