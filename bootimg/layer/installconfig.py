"""/usr/lib/bootc/install/*.toml: how the layer wants to be installed (bootc-install-config(5)).

Files of the same name in a later folder replace those before, and all are merged by the order of their
names, as bootc does it.  Every key is taken or refused: what is passed over would be another disk than
the layer asks for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree import Tree
from bootimg.printable import shown
from bootimg.sizes import KIB

_FOLDERS = ("usr/lib/bootc/install", "usr/local/lib/bootc/install", "usr/etc/bootc/install",
            "etc/bootc/install")  # fmt: skip
# The path in [install], the field and the type; lists are appended, all else is replaced.
_FIELDS: Mapping[tuple[str, ...], tuple[str, type]] = {
    ("root-fs-type",): ("root_type", str),
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
# tomllib takes minutes for some files of a megabyte; these have some hundred bytes.
_LIMIT = 16 * KIB
_DEEPEST = max(map(len, _FIELDS))
# For `bootc install to-disk`, which makes the partitions itself.
_PASSED_OVER = {"block"}
_ARCHITECTURES = ("match-architectures", "match_architectures")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallConfig:
    """The merged configuration; None is what it says nothing of."""

    root_type: str | None = None
    kargs: tuple[str, ...] = ()
    karg_deletes: tuple[str, ...] = ()
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
    files = {name: f"{folder}/{name}" for folder in _FOLDERS for name in tree.listdir(folder)}
    config = InstallConfig()
    for name in sorted(files):
        if name.endswith(".toml"):
            config = _merged(config, tree.read(files[name]), files[name], arch)
    for what, wanted, known in (
        ("root file system", config.root_type, "xfs"),
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


def _merged(config: InstallConfig, data: bytes, where: str, arch: Arch) -> InstallConfig:
    try:
        if len(data) > _LIMIT:
            raise ValueError(f"it has more than {_LIMIT} bytes")
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise unsupported(f"it is not TOML ({str(error)[:300]})", where) from None
    install = document.pop("install", {})
    if document or not isinstance(install, dict):
        raise unsupported(f"it holds more than a table install: {', '.join(document)[:300]}", where)
    arches = next((install.pop(key) for key in _ARCHITECTURES if key in install), None)
    if not isinstance(arches, list | None):
        raise unsupported(f"install.{_ARCHITECTURES[0]} = {shown(arches)}", where)
    if arches is not None and str(arch) not in arches:
        return config
    changes: dict[str, Any] = {}
    for path, value in _leaves(install, ()):
        if path[0] not in _PASSED_OVER:
            field, kind = _FIELDS.get(path, ("", object))
            if type(value) is not kind or not all(isinstance(item, str) for item in _items(value)):
                raise unsupported(f"install.{'.'.join(path)[:200]} = {shown(value)}", where)
            changes[field] = (*getattr(config, field), *_items(value)) if kind is list else value
    return replace(config, **changes)


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _leaves(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its path; the newer form of a key comes after the older one and wins."""
    for key, value in sorted(table.items(), key=lambda item: isinstance(item[1], dict)):
        if isinstance(value, dict) and len(path) < _DEEPEST:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
