"""Rendering the manifest that osbuild would run, from the values of a layer and its platforms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from bootimg.arch import Arch
from bootimg.manifest.model import Json
from bootimg.manifest.mpp import Renderer
from bootimg.platform import DiskSize, Packaging, Platform

RECIPES = "bootimg_manifests"
BASES = {512: "raw-image", 4096: "raw-4k-image"}
"""The pipelines that make the base disks, by sector size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerImage:
    """An image that osbuild itself fetches: its name, `digest` of the manifest, `image_id` of the config."""

    name: str
    digest: str
    image_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootcOptions:
    """Options of `bootc install to-filesystem`.

    With an empty mount specification bootc writes no root= or boot= argument.  Without a stateroot bootc uses
    its own default.
    """

    stateroot: str | None = None
    root_mount_spec: str = ""
    boot_mount_spec: str = ""
    skip_boot_uuid: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables that the recipes are rendered with (osbuild-mpp's -D).

    The layer comes from the file `ociarchive`, whose sha256 is `ociarchive_sha256` (computed if it is empty).
    If `ociarchive` is None, the layer comes from `container`.  Sizes are in MiB.  With `bootc`,
    `bootc install to-filesystem` installs the layer; otherwise ostree deploys it.
    """

    arch: Arch
    osname: str
    artifact_name_prefix: str
    container_imgref: str
    selinux_policy: str | None
    metal_image_size_mb: int
    cloud_image_size_mb: int
    layer_version: str = ""
    extra_kargs: tuple[str, ...] = ()
    bls_append_except_default: str = 'grub_users=""'
    bootc: BootcOptions | None = None
    ociarchive: str | None = None
    ociarchive_sha256: str = ""
    container: ContainerImage | None = None
    platforms: tuple[Platform, ...] = field(default_factory=tuple)


# Sub-delimiters and other characters that RFC 3986 allows in a path.
_IN_PATHS = "/:@!$&'()*+,;="


def render(variables: Variables) -> Json:
    """The manifest: the base pipelines of the architecture, then the pipelines of each platform."""
    folder = files(RECIPES)
    values = _values(variables)
    url = f"file://{values['ociarchive']}" if variables.ociarchive else ""
    digests = {url: variables.ociarchive_sha256} if variables.ociarchive_sha256 else {}
    name = f"coreos.osbuild.{variables.arch}.mpp.yaml"
    document = Renderer(folder, values, digests).render(name)
    for sector_size in sorted({each.sector_size for each in variables.platforms} - {512}):
        own = Renderer(folder, values | _of_base(sector_size)).render(
            name, pipelines="build.raw-image.ipp.yaml"
        )
        document["pipelines"] += own["pipelines"]
    for platform in variables.platforms:
        own = Renderer(folder, values | _of_platform(platform, variables)).render(
            name, pipelines="platform.ipp.yaml"
        )
        document["pipelines"] += own["pipelines"]
    return document


def canonical_json(document: Mapping[str, Any]) -> str:
    """The manifest as text; equal manifests give equal text."""
    return json.dumps(document, indent=2) + "\n"


def _values(variables: Variables) -> Json:
    container = variables.container or ContainerImage(name="", digest="", image_id="")
    bootc = variables.bootc or BootcOptions()
    return {
        "arch": str(variables.arch),
        "osname": variables.osname,
        "artifact_name_prefix": variables.artifact_name_prefix,
        "container_imgref": variables.container_imgref,
        "container_name": container.name,
        "container_digest": container.digest,
        "container_image_id": container.image_id,
        "selinux_policy": variables.selinux_policy or "",
        "metal_image_size_mb": variables.metal_image_size_mb,
        "cloud_image_size_mb": variables.cloud_image_size_mb,
        "layer_version": variables.layer_version,
        "oci_arch": variables.arch.oci,
        "extra_kargs": list(variables.extra_kargs),
        "bls_append_except_default": variables.bls_append_except_default,
        "use_bootc_install": variables.bootc is not None,
        "stateroot": bootc.stateroot or "",
        "root_mount_spec": bootc.root_mount_spec,
        "boot_mount_spec": bootc.boot_mount_spec,
        "bootupd_skip_boot_uuid": bootc.skip_boot_uuid,
        # The recipes use it in a URL.
        "ociarchive": quote(variables.ociarchive or "", safe=_IN_PATHS),
    }


def _of_base(sector_size: int) -> Json:
    return {"sector_size": sector_size, "base_image": BASES[sector_size]}


def _grown_mib(platform: Platform, variables: Variables) -> int:
    """MiB that a platform's disk is enlarged to; 0 if it keeps the size of the base disk."""
    metal = variables.metal_image_size_mb
    found = platform.disk_mib(metal=metal, layer=variables.cloud_image_size_mb)
    return 0 if platform.size is DiskSize.METAL and found == metal else found


def _of_platform(platform: Platform, variables: Variables) -> Json:
    bare = platform.packaging is Packaging.NONE
    return {
        **_of_base(platform.sector_size),
        "packaging": str(platform.packaging),
        "disk_size_mb": _grown_mib(platform, variables),
        "disk_suffix": platform.suffix if bare else platform.disk_format,
        "packed_reference": {f"name:{platform.name}-disk": {"file": "disk.tar"}},
        "platform": platform.name,
        "platform_id": platform.ignition_id,
        "suffix": platform.suffix,
        "disk_format": platform.disk_format,
        "image_reference": {f"name:raw-{platform.name}-image": {"file": "disk.img"}},
        "format_options": {"type": platform.disk_format, **platform.format_options},
    }
