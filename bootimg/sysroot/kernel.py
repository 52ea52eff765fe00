"""The kernel of the commit and what goes to /boot with it.

Source: libostree's get_kernel_from_tree_usrlib_modules and install_deployment_kernel.
A layer has the kernel in usr/lib/modules: ostree's older places (usr/lib/ostree-boot, /boot) do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.sysroot.commit import Commit, Folder
from bootimg.sysroot.objects import DirectoryObject, FileObject
from bootimg.sysroot.unsupported import NativeUnsupportedError

_MODULES = "usr/lib/modules"
BootFile = tuple[str, DirectoryObject | FileObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """The kernel's files by their names in the folder of /boot, folders before what they hold.

    `checksum` names that folder.  `devicetree` is a BLS key and the file or folder that it names.
    """

    version: str
    checksum: str
    files: tuple[BootFile, ...]
    devicetree: tuple[str, str] | None


def find_kernel(commit: Commit) -> Kernel:
    """The one kernel of the commit."""
    version, folder = _kernel_folder(commit)
    initramfs = commit.file(f"{folder}/initramfs.img") or commit.file(f"{folder}/initramfs")
    kernel = commit.file(f"{folder}/vmlinuz")
    if initramfs is None or kernel is None:
        raise NativeUnsupportedError(f"/{folder} has no initramfs")
    main: list[BootFile] = [(f"vmlinuz-{version}", kernel), (f"initramfs-{version}.img", initramfs)]
    trees, devicetree = _devicetrees(commit, folder, version)
    hmac = commit.file(f"{folder}/.vmlinuz.hmac")
    beside: list[BootFile] = [(f".vmlinuz-{version}.hmac", hmac)] if hmac else []
    if commit.find(f"{folder}/aboot.img") is not None:
        raise NativeUnsupportedError(f"/{folder} has an Android boot image")
    return Kernel(
        version=version,
        checksum=_checksum(commit, [*main, *trees]),
        files=(*main, *trees, *beside),
        devicetree=devicetree,
    )


def _kernel_folder(commit: Commit) -> tuple[str, str]:
    modules = commit.folder(_MODULES)
    names = commit.contents(modules)[1] if modules else {}
    found = [name for name in names if commit.file(f"{_MODULES}/{name}/vmlinuz")]
    if len(found) != 1:
        raise NativeUnsupportedError(f"/{_MODULES} has {len(found)} kernels")
    return found[0], f"{_MODULES}/{found[0]}"


def _devicetrees(commit: Commit, folder: str, version: str) -> tuple[list[BootFile], tuple[str, str] | None]:
    if single := commit.file(f"{folder}/devicetree"):
        name = f"devicetree-{version}"
        return [(name, single)], ("devicetree", name)
    if many := commit.folder(f"{folder}/dtb"):
        return [("dtb", commit.attributes(many)), *_below(commit, many, "dtb")], ("fdtdir", "dtb")
    return [], None


def _below(commit: Commit, folder: Folder, path: str) -> Iterator[BootFile]:
    for inner, found in commit.walk(folder, path):
        if isinstance(found, Folder):
            yield inner, commit.attributes(found)
        elif found.target is None:
            yield inner, found
        else:
            raise NativeUnsupportedError(f"the kernel's device trees have a symlink, {inner}")


def _checksum(commit: Commit, files: list[BootFile]) -> str:
    """sha256 over the content of kernel, initramfs and device trees; neither names nor modes count.

    Device trees: depth first, names in the order of their bytes (checksum_dir_recurse).
    """
    digest = hashlib.sha256()
    for _, file in files:
        if isinstance(file, FileObject):
            for chunk in commit.objects.read(file):
                digest.update(chunk)
    return digest.hexdigest()
