"""What a build needs to know of a layer, read from its labels and its tree; refuses what can't be built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.kernelarg import KernelArgument, require_room
from bootimg.layer.declared import imagejson
from bootimg.layer.declared.bootcneeds import refuse_bound_images, require_bootc
from bootimg.layer.declared.diskyaml import DeclaredDisk, read_disk_yaml
from bootimg.layer.declared.imagejson import ImageJson, parse_image_json
from bootimg.layer.declared.installconfig import InstallConfig, read_install_config, unsupported
from bootimg.layer.declared.kargsd import read_kargs_d
from bootimg.layer.declared.osrelease import os_release
from bootimg.layer.declared.platformsjson import PATH as PLATFORMS
from bootimg.layer.declared.platformsjson import parse_platforms_json
from bootimg.layer.declared.prepareroot import unmet_demand
from bootimg.layer.declared.selinuxconfig import read_selinux_config
from bootimg.layer.image.encapsulation import FINAL_LABEL, unlabelled
from bootimg.layer.image.fetched import VERSION_LABEL, Image
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.platform import Console
from bootimg.printable import shown

OSNAME_LABEL = "com.coreos.osname"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^:@-]{0,99}")
_MODULES = "usr/lib/modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """`platforms` is platforms.json, empty where there is none; `selinux_policy` the policy's name."""

    version: str
    osname: str
    stream: str
    kernel_version: str
    image_json: ImageJson
    platforms: Mapping[str, Console]
    os_release: Mapping[str, str]
    selinux_policy: str | None
    has_bootupd: bool
    install_config: InstallConfig
    declared_disk: DeclaredDisk | None
    kargs_d: tuple[KernelArgument, ...] = ()


def read_facts(image: Image, tree: Tree) -> LayerFacts:
    """The facts, or the error that says why no disk can be made of this layer."""
    if tree.ostree is None and tree.exists("sysroot/ostree/repo"):
        raise unlabelled(f"/sysroot/ostree/repo is there, the label {FINAL_LABEL} is not")
    image_json = _image_json(tree)
    if (demand := unmet_demand(tree)) is not None:
        where, setting = demand
        raise unsupported(f"{setting} needs fs-verity, which the root file system XFS does not have", where)
    if image_json.bootc_install_to_fs:
        require_bootc(tree, image.arch)
    refuse_bound_images(tree)
    facts = LayerFacts(
        version=version_of(image),
        osname=osname_of(image),
        stream=image.labels.get("com.coreos.stream", ""),
        kernel_version=kernel_version(tree),
        image_json=image_json,
        # Absent on architectures that have no console settings (s390x).
        platforms=parse_platforms_json(tree.read(PLATFORMS)) if tree.exists(PLATFORMS) else {},
        os_release=os_release(tree),
        selinux_policy=selinux_policy(tree),
        has_bootupd=tree.exists("usr/bin/bootupctl"),
        install_config=read_install_config(tree, image.arch),
        declared_disk=read_disk_yaml(tree, image.arch),
        kargs_d=read_kargs_d(tree, image.arch),
    )
    _require_room(facts, image.arch)
    return facts


def _require_room(facts: LayerFacts, arch: Arch) -> None:
    """Refuse more kernel arguments than a command line holds, those of the longest platform included."""
    own = (*facts.install_config.kargs, *facts.kargs_d, *facts.image_json.extra_kargs)
    consoles = (tuple(console.kernel_arguments) for console in facts.platforms.values())
    longest = max(consoles, key=lambda each: len(" ".join(each)), default=())
    require_room((*own, *longest), arch, "extra-kargs, install configuration, kargs.d, platforms.json")


def version_of(image: Image) -> str:
    """The version by the image's labels, or `layer-version-missing`, `layer-label-invalid`."""
    if not image.version:
        raise BootimgError(
            "layer-version-missing",
            f"{image.reference} carries no label {VERSION_LABEL}",
            hint="the version names the build and its files: set the label where the layer is made",
        )
    return _file_name(image.version, VERSION_LABEL)


def osname_of(image: Image) -> str:
    """The operating system's name; `layer-label-invalid` where no file can be called so."""
    return _file_name(image.osname, OSNAME_LABEL)


def _file_name(value: str, label: str) -> str:
    if not _FILE_NAME.fullmatch(value):
        raise BootimgError(
            "layer-label-invalid",
            f"the layer's label {label} cannot be part of a file's name: {shown(value)}",
            hint="set it where the layer is made: letters, digits and . _ + ~ ^ : @ -, the first no sign",
        )
    return value


def _directories(tree: Tree) -> list[str]:
    # libostree takes no symlink for a kernel's directory: it is another name of one.
    found = tree.resolve(_MODULES)
    entries = ((name, tree.entries.get(f"{found}/{name}")) for name in tree.listdir(_MODULES))
    return [name for name, entry in entries if entry and entry.kind is Kind.DIRECTORY]


def kernel_version(tree: Tree) -> str:
    """The version of the one kernel of a tree."""
    kernels = [name for name in _directories(tree) if tree.exists(f"{_MODULES}/{name}/vmlinuz")]
    if not kernels:
        raise BootimgError(
            "kernel-missing",
            f"the image has no kernel: no /{_MODULES}/<version>/vmlinuz",
            context=[f"/{_MODULES} holds: {', '.join(tree.listdir(_MODULES)) or 'nothing'}"],
            hint="a bootable layer has exactly one kernel there",
        )
    if len(kernels) > 1:
        raise BootimgError(
            "kernel-ambiguous",
            f"the image has {len(kernels)} kernels: {', '.join(kernels)}",
            hint="a bootable layer has exactly one: remove the others where the layer is made",
        )
    if not tree.exists(f"{_MODULES}/{kernels[0]}/initramfs.img"):
        raise BootimgError(
            "initramfs-missing",
            f"the kernel {kernels[0]} has no initramfs.img beside it",
            hint=f"dracut writes it: /{_MODULES}/{kernels[0]}/initramfs.img",
        )
    return kernels[0]


def _image_json(tree: Tree) -> ImageJson:
    if not tree.exists(imagejson.PATH):
        raise BootimgError(
            "image-json-missing",
            f"the image has no /{imagejson.PATH}",
            note="it says how large the disk is and which kernel arguments it boots with",
            hint='write coreos-assembler\'s image.yaml there as JSON, at least {"size": 10}',
        )
    return parse_image_json(tree.read(imagejson.PATH))


def selinux_policy(tree: Tree) -> str | None:
    """SELINUXTYPE of the tree's config, if the tree has that policy's file contexts."""
    name = read_selinux_config(tree).policy
    return name if name and tree.exists(f"etc/selinux/{name}/contexts/files/file_contexts") else None


def selinux_enabled(tree: Tree) -> bool:
    """Whether the tree's config turns its policy on; libostree labels nothing where it does not."""
    return read_selinux_config(tree).enabled
