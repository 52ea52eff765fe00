"""Which part of the tree is which package's: what an image in many layers is split by."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping

from tests.layer.recipe import Recipe
from tests.layer.tree import Tree

# A package that is no component of the RPM database has a chunk of its own from this size (KiB) on.
LARGE = 4096
OTHER = "small packages"
UNPACKAGED = "unpackaged"

# What no package's list has: files made for the layer, or moved.
_BY_PREFIX = {
    "usr/lib/efi/grub2/": "grub2-efi-x64",
    "usr/lib/efi/shim/": "shim-x64",
    "usr/lib/modules/": "kernel-modules",
    "usr/bin/bootupctl": "bootupd",
    "usr/lib/bootupd/": "bootupd",
    "usr/libexec/bootupd": "bootupd",
    "usr/bin/coreos-installer": "coreos-installer",
    "usr/bin/rdcore": "coreos-installer",
    "usr/lib/dracut/modules.d/30ignition/": "ignition",
    "usr/libexec/libostree/ext/": "ostree-ext",
}
_KERNEL = ("vmlinuz", "config", "System.map", ".vmlinuz.hmac")

_INFO = "usr/share/dpkg-db/info/"
_MERGED = ("bin/", "lib/", "lib64/", "sbin/")


def chunks(tree: Tree, recipe: Recipe) -> dict[str, str]:
    """The chunk of each path that is no directory; hard links are in their first name's."""
    owners = _owners(tree, _chunk_names(tree, recipe))

    files = {path: node for path, node in tree.items() if node.kind != tarfile.DIRTYPE}
    return {path: _chunk(node.names[0] if node.names else path, owners) for path, node in files.items()}


def _chunk(path: str, owners: Mapping[str, str]) -> str:
    folder, _, name = path.rpartition("/")
    if folder.startswith("usr/lib/modules/") and name == "initramfs.img":
        return "initramfs"
    if folder.startswith("usr/lib/modules/") and folder.count("/") == 3 and name in _KERNEL:
        return "kernel-core"
    made = (chunk for prefix, chunk in _BY_PREFIX.items() if path.startswith(prefix))
    return next(made, None) or owners.get(path, UNPACKAGED)


def _chunk_names(tree: Tree, recipe: Recipe) -> Callable[[str], str]:
    components = {package: rpm for rpm, package in sorted(recipe.rpms.items(), reverse=True)}
    sizes = dict(_installed_sizes(tree["usr/share/dpkg-db/status"].read().decode()))

    def name(package: str) -> str:
        return components.get(package) or (package if sizes.get(package, 0) >= LARGE else OTHER)

    return name


def _installed_sizes(status: str) -> Iterator[tuple[str, int]]:
    for stanza in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
        if "Package" in fields:
            yield fields["Package"], int(fields.get("Installed-Size", "0"))


def _owners(tree: Tree, chunk_name: Callable[[str], str]) -> Mapping[str, str]:
    owners: dict[str, str] = {}
    for path in sorted(tree):
        if path.startswith(_INFO) and path.endswith(".list"):
            package = path.removeprefix(_INFO).removesuffix(".list").partition(":")[0]
            name = chunk_name(package)
            for listed in tree[path].read().decode().splitlines():
                owners.setdefault(_merged(listed.lstrip("/")), name)
    return owners


def _merged(path: str) -> str:
    return f"usr/{path}" if path.startswith(_MERGED) else path
