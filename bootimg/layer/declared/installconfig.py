"""/usr/lib/bootc/install/*.toml: how the layer wants to be installed (bootc-install-config(5)).

A file replaces one of the same name in an earlier folder, a symlink to /dev/null removes it, and all are
merged by the order of their names.  What is no regular file is passed over, and so are names that begin
with a dot.  All this is bootc's own rule (its crate liboverdrop).  Every key is taken or refused: what is
passed over would be another disk than the layer asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import KernelArgument, parse_arguments
from bootimg.layer.declared.bootcfile import is_for
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.printable import shown
from bootimg.untrusted.node import Fields, Node
from bootimg.untrusted.tomlfile import parse_toml

_FOLDERS = ("usr/lib/bootc/install", "usr/local/lib/bootc/install", "usr/etc/bootc/install",
            "etc/bootc/install")  # fmt: skip
# The path in [install], the field and the type; lists are appended, all else is replaced.
_FIELDS: Mapping[tuple[str, ...], tuple[str, type]] = {
    ("root-fs-type",): ("root_fs_type", str),
    ("filesystem", "root", "type"): ("root_type", str),
    ("kargs",): ("kargs", list),
    ("karg-deletes",): ("karg_deletes", list),
    ("stateroot",): ("stateroot", str),
    ("root-mount-spec",): ("root_mount_spec", str),
    ("boot-mount-spec",): ("boot_mount_spec", str),
    ("bootloader",): ("bootloader", str),
    ("discoverable-partitions",): ("discoverable_partitions", bool),
    ("enforce-container-sigpolicy",): ("enforce_sigpolicy", bool),
    ("ostree", "bls-append-except-default"): ("bls_append_except_default", str),
    ("bootupd", "skip-boot-uuid"): ("skip_boot_uuid", bool),
}
_DEEPEST = max(map(len, _FIELDS))
# For `bootc install to-disk`, which makes the partitions itself.
_PASSED_OVER = {"block"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallConfig:
    """The merged configuration; None is what it says nothing of.

    `root_fs_type` is the older form of `root_type`, which wins.
    """

    root_type: str | None = None
    root_fs_type: str | None = None
    kargs: tuple[KernelArgument, ...] = ()
    karg_deletes: tuple[KernelArgument, ...] = ()
    stateroot: str | None = None
    root_mount_spec: str | None = None
    boot_mount_spec: str | None = None
    skip_boot_uuid: bool | None = None
    bls_append_except_default: str | None = None
    bootloader: str | None = None
    discoverable_partitions: bool | None = None
    enforce_sigpolicy: bool | None = None


def read_install_config(tree: Tree, arch: Arch) -> InstallConfig:
    """The layer's configuration for this architecture; `install-config-unsupported` for what we cannot do."""
    config = InstallConfig()
    for path in _files(tree):
        config = _merged(config, tree.read(path), path, arch)
    for what, wanted, known in (
        ("root file system", config.root_type or config.root_fs_type, "xfs"),
        ("bootloader", config.bootloader, "grub"),
    ):
        if wanted not in (None, known):
            raise unsupported(f"the {what} is to be {wanted:.80}, and bootimg's recipes have {known}")
    return config


def unsupported(what: str, where: str = _FOLDERS[0]) -> BootimgError:
    """The error for a configuration that bootimg would not follow."""
    return BootimgError(
        "install-config-unsupported",
        "the layer asks to be installed in a way that bootimg does not do",
        context=[f"/{where}: {what}"],
        hint="change it where the layer is made, or install the layer with bootc itself",
        exit_code=ExitCode.USAGE,
    )


def _files(tree: Tree) -> list[str]:
    """The files to merge, in order."""
    found: dict[str, str] = {}
    for folder in _FOLDERS:
        place = tree.resolve(folder)
        for name in tree.listdir(folder):
            entry = tree.entries[f"{place}/{name}"]
            if name.startswith(".") or not name.endswith(".toml"):
                continue
            if entry.kind is Kind.FILE:
                found[name] = f"{folder}/{name}"
            elif entry.target == "/dev/null":
                found.pop(name, None)
    return [found[name] for name in sorted(found)]


def _merged(config: InstallConfig, data: bytes, where: str, arch: Arch) -> InstallConfig:
    document = parse_toml(data, lambda why: unsupported(why, where))
    install = document.allow(["install"]).nested("install")
    if not is_for(install, arch):
        return config
    changes: dict[str, Any] = {}
    for path, node in _leaves(install, ()):
        if path[0] not in _PASSED_OVER:
            if path not in _FIELDS:
                raise node.error(f"is {shown(node.value)}, which bootimg does not know")
            field, kind = _FIELDS[path]
            changes[field] = node.of(kind)
            if kind is list:
                added = parse_arguments(node.each(str), f"/{where}: {node.path}")
                changes[field] = (*getattr(config, field), *added)
    return replace(config, **changes)


def _leaves(table: Fields, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Every value that was not read yet with its path in `install`."""
    for key in table:
        if isinstance(table.values[key], dict) and len(path) < _DEEPEST:
            yield from _leaves(table.nested(key), (*path, key))
        else:
            yield (*path, key), table.at(key)
