"""The values that the disk recipes are rendered with, from the layer and the request."""

from __future__ import annotations

import re

from bootimg.disk.size import metal_size_mib
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.declared.facts import LayerFacts
from bootimg.layer.image.fetched import Image
from bootimg.layer.image.imagename import imgref_without_spare_tag, name_fault, without_spare_tag
from bootimg.layer.image.reference import shipped_name
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.render import ContainerImage, Variables
from bootimg.orchestrator.recipes.installation import (
    bls_append_except_default,
    bootc_imgref,
    bootc_options,
    labelled_by_bootc,
    recipe_arguments,
)
from bootimg.orchestrator.request import Request
from bootimg.platform import DiskSize, Platform
from bootimg.sizes import GIB, MIB, align_up, format_size

# What osbuild's stage org.osbuild.ostree.deploy.container accepts.
_IMGREF = re.compile(
    "(ostree-remote-registry|ostree-remote-image|ostree-image-signed"
    "|ostree-unverified-registry|ostree-unverified-image):.+"
)
# What `shipped_name` returns for an image that is not in a registry.
_LOCAL = re.compile(
    "ostree-unverified-image:(?:oci|oci-archive|containers-storage):[^:@]+@sha256:[0-9a-f]{64}"
)


def target_imgref(request: Request, image: Image, facts: LayerFacts) -> str:
    """Where the machines take updates from: the request's reference, else the layer's, else the source."""
    imgref = request.target_imgref
    if imgref is None:
        imgref = facts.image_json.container_imgref
    if imgref is None:
        transport, _, name = image.reference.partition("://")
        if transport == "docker" and facts.install_config.enforce_sigpolicy:
            return f"ostree-image-signed:docker://{name}"
        if transport == "docker":
            return f"ostree-unverified-registry:{name}"
        return f"ostree-unverified-image:{shipped_name(image.reference, image.digest)}"
    if facts.image_json.bootc_install_to_fs and _is_name(imgref):
        # bootc itself gets only the image's name.
        return f"ostree-unverified-registry:{without_spare_tag(imgref)}"
    if not _IMGREF.fullmatch(imgref):
        raise _malformed(imgref)
    # The machine fetches with skopeo, which rejects a name with both.
    return imgref_without_spare_tag(imgref)


def warn_of_no_updates(imgref: str, events: Events) -> None:
    """Warn if machines would look for updates in a file or a storage that they do not have."""
    if _LOCAL.fullmatch(imgref):
        events.message(
            f"the machines will find no updates: their origin is {imgref}, which is no image of a registry; "
            "say with --target-imgref which one they are to follow",
            "warning",
        )


def require_imgref(request: Request) -> None:
    """Raise `imgref-malformed` for a reference that no layer accepts; bootc's layers accept a name alone."""
    imgref = request.target_imgref
    if imgref is not None and not _IMGREF.fullmatch(imgref) and not _is_name(imgref):
        raise _malformed(imgref)


def _is_name(imgref: str) -> bool:
    """Whether the text is the name of an image with its registry, as bootc itself gets it."""
    return "/" in imgref and name_fault(imgref) is None


def _malformed(imgref: str) -> BootimgError:
    return BootimgError(
        "imgref-malformed",
        f"{imgref} is not an ostree image reference",
        hint="write it as ostree-unverified-registry:quay.io/example/os:latest or ostree-image-signed:docker://…",
        exit_code=ExitCode.USAGE,
    )


def disk_sizes_mib(request: Request, tree: Tree, facts: LayerFacts) -> tuple[int, int]:
    """MiB of the base disk and of the platforms' disks; raises `disk-too-small` if the tree does not fit."""
    metal = metal_size_mib(tree, request.arch, labelled_by_bootc=labelled_by_bootc(facts))
    if request.size is not None:
        cloud = align_up(request.size, MIB) // MIB
    elif facts.image_json.size is not None:
        cloud = facts.image_json.size * GIB // MIB
    else:
        cloud = metal
    for platform in request.disk_platforms:
        size = platform.disk_mib(metal=metal, layer=cloud)
        if size < metal:
            raise _too_small(platform, size, metal)
    return metal, cloud


def _too_small(platform: Platform, size: int, metal: int) -> BootimgError:
    needed = -(-metal * MIB // GIB)
    hint = f"ask for more with --size, or raise `size` in image.json to {needed}"
    if platform.size is not DiskSize.LAYER:
        hint = f"the platform has only disks of that size: make the layer smaller, or drop {platform.name}"
    return BootimgError(
        "disk-too-small",
        f"a disk of {format_size(size * MIB)} for {platform.name} is too small for the layer",
        context=[f"its files need {format_size(metal * MIB)}, boot partitions and margin included"],
        hint=hint,
        exit_code=ExitCode.USAGE,
    )


def make_variables(
    request: Request,
    image: Image,
    tree: Tree,
    facts: LayerFacts,
    *,
    ociarchive: str | None = None,
    sha256: str = "",
    container: ContainerImage | None = None,
) -> Variables:
    """The variables for a layer in the archive `ociarchive`, or one that osbuild fetches as `container`."""
    metal, cloud = disk_sizes_mib(request, tree, facts)
    imgref, bootc = target_imgref(request, image, facts), bootc_options(facts)
    return Variables(
        arch=request.arch,
        osname=facts.osname,
        artifact_name_prefix=f"{facts.osname}-{facts.version}",
        layer_version=facts.version,
        container_imgref=bootc_imgref(imgref) if bootc else imgref,
        selinux_policy=facts.selinux_policy,
        metal_image_size_mb=metal,
        cloud_image_size_mb=cloud,
        extra_kargs=recipe_arguments(facts),
        bls_append_except_default=bls_append_except_default(facts),
        bootc=bootc,
        ociarchive=ociarchive,
        ociarchive_sha256=sha256,
        container=container,
        platforms=request.disk_platforms,
    )
