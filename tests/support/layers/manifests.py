"""Rendered manifests to test with: all four architectures, the platform qemu, a layer from an archive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bootimg.arch import Arch
from bootimg.manifest.model import Json
from bootimg.manifest.render import BootcOptions, ContainerImage, Variables, render
from bootimg.platform import Platform, platform, platforms

DIGEST = "ab" * 32
VARIABLES = Variables(
    arch=Arch.X86_64,
    osname="rhcos",
    artifact_name_prefix="rhcos-9.6.20261101-0",
    layer_version="9.6.20261101-0",
    container_imgref="ostree-unverified-registry:quay.io/example/os:latest",
    selinux_policy="targeted",
    metal_image_size_mb=2500,
    cloud_image_size_mb=16384,
    extra_kargs=("mitigations=auto,nosmt",),
    ociarchive="/srv/layer.ociarchive",
    ociarchive_sha256=DIGEST,
)
CONTAINER = ContainerImage(
    name="docker://quay.io/example/os:latest", digest=f"sha256:{'cd' * 32}", image_id=f"sha256:{'ef' * 32}"
)
# A platform without conversion: its artifact comes from the copy stage.
RAW = Platform(name="plain", summary="A raw disk", arches=frozenset(Arch), disk_format="raw", suffix="raw")


def variables(arch: Arch = Arch.X86_64, **changes: Any) -> Variables:  # noqa: ANN401
    return replace(VARIABLES, arch=arch, platforms=(platform("qemu", arch), RAW), **changes)


def rendered(arch: Arch = Arch.X86_64, **changes: Any) -> Json:  # noqa: ANN401
    return render(variables(arch, **changes))


def packed() -> Json:
    """A manifest of disks in a tar and in a container image, and of one with 4096-byte sectors."""
    names = ("gcp", "kubevirt", "metal", "metal4k")
    return render(replace(VARIABLES, platforms=tuple(platform(name, Arch.X86_64) for name in names)))


def of_every_platform(arch: Arch) -> Json:
    """All that osbuild can make for an architecture."""
    known = [each for each in platforms().values() if arch in each.arches]
    return render(
        replace(
            VARIABLES,
            arch=arch,
            platforms=tuple(each for each in known if each.buildable),
        )
    )


def fetched_by_osbuild(arch: Arch = Arch.X86_64) -> Json:
    """A manifest whose layer osbuild fetches from a registry."""
    return rendered(arch, ociarchive=None, ociarchive_sha256="", container=CONTAINER)


def by_bootc(arch: Arch = Arch.X86_64, **changes: Any) -> Json:  # noqa: ANN401
    """A manifest that has the layer installed by bootc, with every option that can be given."""
    options = BootcOptions(stateroot="rhcos", root_mount_spec="LABEL=root", boot_mount_spec="LABEL=boot")
    return rendered(arch, bootc=options, container_imgref="quay.io/example/os:latest", **changes)


def stages(document: Json, kind: str) -> list[Json]:
    """The stages of a type (without org.osbuild.), from all pipelines."""
    return [
        stage
        for pipeline in document["pipelines"]
        for stage in pipeline["stages"]
        if stage["type"] == f"org.osbuild.{kind}"
    ]


def pipeline(document: Json, name: str) -> Json:
    return next(each for each in document["pipelines"] if each["name"] == name)
