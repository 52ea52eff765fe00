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
from bootimg.layer.declared.bootcfile import is_strings, read_toml, take_match
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.printable import shown

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
    try:
        document = read_toml(data)
    except ValueError as error:
        raise unsupported(str(error), where) from None
    install = document.pop("install", {})
    if document or not isinstance(install, dict):
        raise unsupported(f"it holds more than a table install: {', '.join(document)[:300]}", where)
    try:
        if not take_match(install, arch):
            return config
    except ValueError as error:
        raise unsupported(f"install.{error}", where) from None
    changes: dict[str, Any] = {}
    for path, value in _leaves(install, ()):
        if path[0] not in _PASSED_OVER:
            field, kind = _FIELDS.get(path, ("", object))
            changes[field] = _taken(value, kind, f"install.{'.'.join(path)[:200]}", where)
            if kind is list:
                changes[field] = (*getattr(config, field), *changes[field])
    return replace(config, **changes)


def _taken(value: object, kind: type, key: str, where: str) -> object:
    """The value, of exactly that type; a list is one of kernel arguments."""
    if kind is list and is_strings(value):
        return parse_arguments(value, f"/{where}: {key}")
    if type(value) is not kind or kind is list:
        raise unsupported(f"{key} = {shown(value)}", where)
    return value


def _leaves(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its path."""
    for key, value in table.items():
        if isinstance(value, dict) and len(path) < _DEEPEST:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
