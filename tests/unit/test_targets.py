"""The targets by their names: one table for files, meta.json, the pipeline and what is published."""

from __future__ import annotations

from collections import Counter

import pytest

from bootimg.arch import Arch
from bootimg.builds.layout import artifact_name
from bootimg.platform import platforms
from bootimg.targets import (
    ARCHIVE,
    DECLARED,
    LIVE,
    SBOM,
    SECEX,
    every_target,
    image_of,
    platform_of_key,
    target_file,
    target_of_artifact,
    target_of_key,
)

X86 = Arch.X86_64


def test_a_name_means_one_target() -> None:
    every = list(every_target())
    for names in (
        [each.name for each in every],
        [name for each in every for name in each.artifacts],
        [key for each in every for key in each.meta_keys],
    ):
        assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize("name", platforms())
def test_a_platform_s_image_is_found_by_each_of_its_names(name: str) -> None:
    platform = platforms()[name]
    target = image_of(platform)
    assert target_of_artifact(name) == target_of_key(platform.image_key) == target
    assert platform_of_key(platform.image_key) is platform
    assert target.files[0].file_name("rhcos", "1", X86) == artifact_name(
        "rhcos", "1", name, X86, platform.suffix
    )
    assert (target.obstacle is None) == platform.buildable


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ostree", "rhcos-1-ostree.x86_64.ociarchive"),
        ("oci-manifest", "rhcos-1-ostree.x86_64-manifest.json"),
        ("extensions-container", "rhcos-1-extensions-container.x86_64.ociarchive"),
        ("live-iso", "rhcos-1-live-iso.x86_64.iso"),
        ("live-kernel", "rhcos-1-live-kernel.x86_64"),
        ("live-initramfs", "rhcos-1-live-initramfs.x86_64.img"),
        ("live-rootfs", "rhcos-1-live-rootfs.x86_64.img"),
        ("aws", "rhcos-1-aws.x86_64.vmdk"),
    ],
)
def test_files_are_called_as_coreos_assembler_calls_them(key: str, name: str) -> None:
    file = target_file(key)
    assert file is not None
    assert file.file_name("rhcos", "1", X86) == name


def test_live_media_are_one_target_of_four_files() -> None:
    assert LIVE.meta_keys == LIVE.listed_keys == ("live-iso", "live-kernel", "live-initramfs", "live-rootfs")
    assert target_of_artifact("live") is LIVE
    assert {target_of_key(key) for key in LIVE.meta_keys} == {LIVE}
    assert LIVE.disk_image


def test_what_goes_with_another_file_is_not_listed() -> None:
    assert (ARCHIVE.listed_keys, ARCHIVE.meta_keys) == (("ostree",), ("ostree", "oci-manifest"))
    # meta.json's schema has no place for it.
    assert (SBOM.listed_keys, SBOM.meta_keys) == ((), ())


def test_what_is_not_a_disk_is_made_where_disk_images_are_skipped() -> None:
    keys = {key for each in DECLARED if not each.disk_image for key in each.meta_keys}
    assert keys == {"ostree", "oci-manifest", "extensions-container", "legacy-oscontainer"}


def test_unknown_keys_are_nobody_s() -> None:
    assert (target_of_key("toaster"), target_file("toaster"), platform_of_key("ostree")) == (None, None, None)


def test_the_key_for_secure_execution_has_no_architecture_in_its_name() -> None:
    """As coreos-assembler names it; the disk beside it has one."""
    names = [file.file_name("rhcos", "9.8-0", Arch.S390X) for file in SECEX.files]
    assert names == ["rhcos-9.8-0-qemu-secex.s390x.qcow2", "rhcos-9.8-0-ignition-secex-key.gpg.pub"]
