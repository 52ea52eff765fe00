"""The metadata of builds in which every platform of every architecture is made, held against a real file.

The expectation is what openshift/installer's data/data/coreos/coreos-rhel-9.json had on 2026-04-28: which
formats each architecture has, and which fields an entry has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.platform import platforms
from bootimg.streams.metadata.buildmeta import Built, built
from bootimg.streams.metadata.bump import merge, stream_of
from bootimg.streams.metadata.release import stream_arch
from bootimg.streams.metadata.releases import Published, release_of
from bootimg.streams.metadata.stream import Metadata, Stream, parse_stream
from bootimg.targets import DECLARED
from tests.support.builds.tablebuilds import STREAM, meta

BASE = "https://rhcos.mirror.openshift.com/art/storage/prod/streams"
PUBLISHED = Published(BASE, STREAM, signatures=False)
THEN = Metadata("2026-04-28T22:40:00Z", "bootimg stream 0.1.0")
QCOW2 = {"qcow2.gz"}
EVERYWHERE = {"metal": {"raw.gz", "4k.raw.gz", "iso", "pxe"}, "openstack": QCOW2, "qemu": QCOW2}
REAL: Mapping[Arch, Mapping[str, set[str]]] = {
    Arch.X86_64: EVERYWHERE | {
        "aws": {"vmdk.gz"}, "azure": {"vhd.gz"}, "azurestack": {"vhd.gz"}, "gcp": {"tar.gz"},
        "ibmcloud": QCOW2, "kubevirt": {"ociarchive"}, "nutanix": {"qcow2"}, "vmware": {"ova"},
    },
    Arch.AARCH64: EVERYWHERE | {
        "aws": {"vmdk.gz"}, "azure": {"vhd.gz"}, "gcp": {"tar.gz"}, "nvidiabluefield": {"bfb"},
    },
    Arch.PPC64LE: EVERYWHERE | {"powervs": {"ova.gz"}},
    Arch.S390X: EVERYWHERE | {"ibmcloud": QCOW2, "kubevirt": {"ociarchive"}, "qemu-secex": QCOW2},
}  # fmt: skip
# The clouds that have an entry in `images`, and the parts of `rhel-coreos-extensions`.
CLOUDS = {
    Arch.X86_64: {"aws", "gcp", "kubevirt"}, Arch.AARCH64: {"aws", "gcp"}, Arch.PPC64LE: {"powervs"},
    Arch.S390X: {"kubevirt"},
}  # fmt: skip
EXTENSIONS = {Arch.X86_64: {"aws-winli", "azure-disk"}, Arch.AARCH64: {"azure-disk"}}
# The fields of an entry, of a region's where it has regions.
FIELDS = {
    "aws": {"release", "image"}, "gcp": {"release", "project", "name"},
    "kubevirt": {"release", "image", "digest-ref"}, "powervs": {"release", "object", "bucket", "url"},
    "aws-winli": {"release", "image"}, "azure-disk": {"release", "url"},
}  # fmt: skip


def builds() -> list[Built]:
    return [built(meta(arch), f"{arch}/meta.json") for arch in Arch]


def the_stream() -> Stream:
    return stream_of(builds(), PUBLISHED, THEN)


@pytest.fixture(scope="module")
def arches() -> dict[str, Any]:
    """The architectures of the file."""
    found: dict[str, Any] = json.loads(the_stream().encoded())["architectures"]
    return found


def test_the_architectures_are_those_of_the_real_file(arches: dict[str, Any]) -> None:
    assert list(arches) == sorted(Arch)


@pytest.mark.parametrize("arch", Arch)
def test_every_format_of_the_real_file_is_there(arch: Arch, arches: dict[str, Any]) -> None:
    found = {name: set(each["formats"]) for name, each in arches[arch]["artifacts"].items()}
    assert {name: found.get(name) for name in REAL[arch]} == REAL[arch]
    # What else there is are platforms that RHEL CoreOS does not build.
    known = {*platforms(), *(each.name for each in DECLARED)}
    assert set(found) - set(REAL[arch]) <= known


@pytest.mark.parametrize("arch", Arch)
def test_an_artifact_has_the_fields_of_the_real_file(arch: Arch, arches: dict[str, Any]) -> None:
    for name, form, role, entry in artifacts(arches[arch]):
        compressed = form.endswith(".gz") and form != "tar.gz"
        wanted = {"location", "sha256"} | ({"uncompressed-sha256"} if compressed else set())
        assert set(entry) == wanted, (name, form, role)
        assert entry["location"].startswith(f"{BASE}/{STREAM}/builds/9.8.20260428-0/{arch}/rhcos-")
    roles = {(form, role) for name, form, role, _ in artifacts(arches[arch]) if name == "metal"}
    pxe = {("pxe", role) for role in ("kernel", "initramfs", "rootfs")}
    assert roles == {("raw.gz", "disk"), ("4k.raw.gz", "disk"), ("iso", "disk")} | pxe


def artifacts(arch: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    for name, each in arch["artifacts"].items():
        for form, files in each["formats"].items():
            for role, entry in files.items():
                yield name, form, role, entry


@pytest.mark.parametrize("arch", Arch)
def test_clouds_and_extensions_have_the_fields_of_the_real_file(arch: Arch, arches: dict[str, Any]) -> None:
    images, extensions = arches[arch]["images"], arches[arch].get("rhel-coreos-extensions", {})
    assert CLOUDS[arch] <= set(images)
    assert EXTENSIONS.get(arch, set()) <= set(extensions)
    for name, entry in {**{name: images[name] for name in CLOUDS[arch]}, **extensions}.items():
        for each in entry["regions"].values() if "regions" in entry else [entry]:
            assert set(each) == FIELDS[name], name


def test_the_release_of_the_four_makes_the_same_stream() -> None:
    release = release_of(builds(), PUBLISHED)
    assert set(release.architectures) == set(Arch)
    same = {name: stream_arch(release.release, each) for name, each in release.architectures.items()}
    assert Stream(release.stream, THEN, same).encoded() == the_stream().encoded()


def test_architectures_that_are_built_one_after_the_other_are_one_stream() -> None:
    parts = [stream_of([each], PUBLISHED, THEN) for each in builds()]
    assert merge(parts, None, THEN).encoded() == the_stream().encoded()


def test_it_is_read_and_written_without_a_change_and_without_a_warning() -> None:
    warnings: list[str] = []
    data = the_stream().encoded()
    assert (parse_stream(data, "stream", warnings.append).encoded(), warnings) == (data, [])
