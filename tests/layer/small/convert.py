"""The unpacked packages become the tree of a CoreOS layer: all as data, with programs of this machine."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from bootimg import process
from tests.layer import contract
from tests.layer.convert import kernel_checksum
from tests.layer.recipe import ROOTFS, Recipe, Request
from tests.layer.small.bootloader import place_bootloader
from tests.layer.small.bootupd import add_bootupd
from tests.layer.small.initramfs import make_initramfs
from tests.layer.small.recipe import HERE, SmallRecipe, rootfs_of
from tests.layer.small.written import write_files
from tests.layer.tree import Node, Tree, file_node, put, read_tree, select

# What else the full layer has is for dracut, or for services that the small one lacks.
SHARED = (
    "etc/issue",
    "usr/lib/ostree/prepare-root.conf",
    "usr/lib/systemd/system.conf.d/50-slow-machines.conf",
    "usr/lib/systemd/system-preset/99-default-disable.preset",
    "usr/lib/systemd/system/ignition-firstboot-complete.service",
    "usr/lib/systemd/system/service.d/50-slow-machines.conf",
    "usr/lib/tmpfiles.d/00-coreos-var.conf",
    "usr/share/coreos-assembler/live/EFI/vendor/grub.cfg",
    "usr/share/coreos-assembler/live/isolinux/isolinux.cfg",
)


@dataclass(frozen=True, slots=True)
class Converted:
    """The tree of the layer, and the version of its kernel."""

    tree: Tree
    kernel: str


def convert(
    packages: tarfile.TarFile, recipe: SmallRecipe, debian: Recipe, work: Path, *, bootupd: bool
) -> Converted:
    """The tree of the layer, out of the packages' tar, which must stay open; `work` is for scratch files."""
    tree = read_tree(packages, lambda path: not path.startswith("dev/"))
    kernel = _place_kernel(tree)
    _drop_modules(tree, recipe, kernel)
    modules = _index_modules(tree, kernel, work)
    place_bootloader(tree, recipe, debian, work)
    _accounts(tree)
    _files(tree, recipe)
    _mask(tree, (*debian.masked_units, *recipe.masked_units), "system")
    _mask(tree, (*debian.masked_generators, *recipe.masked_generators), "system-generators")
    if bootupd:
        add_bootupd(tree)
    initramfs = make_initramfs(tree, modules, recipe.modules)
    put(tree, f"usr/lib/modules/{kernel}/initramfs.img", _file("initramfs.img", initramfs))
    _lay_out(tree, recipe, debian)
    return Converted(tree, kernel)


def _file(path: str, content: bytes, mode: int = 0o644) -> Node:
    return file_node(path, content, mode=mode)


def _place_kernel(tree: Tree) -> str:
    """Newer packages have it where ostree wants it; ppc64el names it otherwise: it is not compressed."""
    placed = [path.split("/")[3] for path in tree if fnmatchcase(path, "usr/lib/modules/*/vmlinuz")]
    version = placed[0] if placed else _move_kernel(tree)
    checksum = f"{kernel_checksum(tree[f'usr/lib/modules/{version}/vmlinuz'].read())}  vmlinuz-{version}\n"
    put(tree, f"usr/lib/modules/{version}/.vmlinuz.hmac", _file(".vmlinuz.hmac", checksum.encode()))
    return version


def _move_kernel(tree: Tree) -> str:
    (path,) = (path for path in tree if fnmatchcase(path, "boot/vmlinu[xz]-*"))
    version = path.partition("-")[2]
    put(tree, f"usr/lib/modules/{version}/vmlinuz", _file("vmlinuz", tree[path].read()))
    put(tree, f"usr/lib/modules/{version}/config", _file("config", tree[f"boot/config-{version}"].read()))
    return version


def _drop_modules(tree: Tree, recipe: SmallRecipe, kernel: str) -> None:
    _remove(tree, (f"usr/lib/modules/{kernel}/kernel/{name}" for name in recipe.removed_modules))


def _index_modules(tree: Tree, kernel: str, work: Path) -> Path:
    """What depmod of this machine says of the modules goes into the tree; returns the modules' folder."""
    folder = f"usr/lib/modules/{kernel}"
    write_files(select(tree, lambda path: path.startswith(folder)), work / "root")
    (work / "root/lib").symlink_to("usr/lib")
    program = process.require("depmod", packages="kmod")
    process.run([program, "--basedir", work / "root", kernel])
    for path in sorted((work / "root" / folder).glob("modules.*")):
        put(tree, f"{folder}/{path.name}", _file(path.name, path.read_bytes()))
    return work / "root" / folder


def _accounts(tree: Tree) -> None:
    """What base-passwd's script does: root and the static accounts; the others are sysusers' at boot."""
    for name in ("passwd", "group"):
        put(tree, f"etc/{name}", _file(name, tree[f"usr/share/base-passwd/{name}.master"].read()))
    users = tree["etc/passwd"].read().decode().splitlines()
    shadow = "".join(f"{line.partition(':')[0]}:*:20000:0:99999:7:::\n" for line in users)
    put(tree, "etc/shadow", _file("shadow", shadow.encode(), 0o640))


def _files(tree: Tree, recipe: SmallRecipe) -> None:
    own = [(root, _below(root)) for root in (HERE / "rootfs", rootfs_of(recipe.arch))]
    for root, paths in ((ROOTFS, SHARED), *own):
        for path in paths:
            source = root / path
            if source.is_symlink():
                put(tree, path, _link(path, str(source.readlink())))
            else:
                put(tree, path, _file(path, source.read_bytes()))
    put(tree, "usr/lib/os-release", _file("os-release", contract.os_release(Request()).encode()))
    # Ignition relabels what it writes with the policy that this names, if the policy is there.
    put(tree, "etc/selinux/config", _file("config", b"SELINUX=disabled\nSELINUXTYPE=default\n"))
    put(tree, "etc/fstab", _file("fstab", b""))


def _mask(tree: Tree, names: Iterable[str], folder: str) -> None:
    for name in names:
        put(tree, f"etc/systemd/{folder}/{name}", _link(name, "/dev/null"))


def _link(path: str, target: str) -> Node:
    return Node(tarfile.SYMTYPE, 0o777, 0, 0, target, names=(path,))


def _below(root: Path) -> list[str]:
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or path.is_file()
    )


def _lay_out(tree: Tree, recipe: SmallRecipe, debian: Recipe) -> None:
    """The root directory as ostree wants it."""
    _remove(tree, (*recipe.removed, *(path for path in tree if _matches(path, recipe.removed_patterns))))
    for name, target in debian.links.items():
        _remove(tree, [name])
        put(tree, name, _link(name, target))
    for name in debian.emptied:
        _remove(tree, [name])
        mode = 0o1777 if name == "tmp" else 0o755
        put(tree, name, Node(tarfile.DIRTYPE, mode, 0, 0, names=(name,)))


def _matches(path: str, patterns: Iterable[str]) -> bool:
    # A slash is no character that * stands for.
    return any(path.count("/") == pattern.count("/") and fnmatchcase(path, pattern) for pattern in patterns)


def _remove(tree: Tree, paths: Iterable[str]) -> None:
    removed = list(paths)
    prefixes = tuple(f"{path}/" for path in removed)
    for path in [path for path in tree if path in removed or path.startswith(prefixes)]:
        del tree[path]
