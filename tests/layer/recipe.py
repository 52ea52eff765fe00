"""What can be asked of the stand-in layer, and the recipe file that says what it is made of."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any

from bootimg.arch import Arch

HERE = Path(__file__).parent
ROOTFS = HERE / "rootfs"

# The date is fixed so that the archive's content, and with it the cache, does not change by the day.
DEFAULT_VERSION = "9.6.20261101-0"
CHANGED_VERSION = "9.6.20261108-0"
# Timestamp of all that is made: 2026-11-01T00:00:00Z.
SOURCE_DATE_EPOCH = 1793491200

_VERSION = re.compile(r"(\d+\.\d+)\.\d{8}-\d+")


class Flavour(StrEnum):
    """Whose programs are inside."""

    DEBIAN = "debian"
    COREOS = "coreos"


class Form(StrEnum):
    """How the tree is packed.

    In plain layers: three, or one a package and without ostree's labels (`chunked`).  Or as ostree's
    container export does it, one layer a package; `derived` has a Containerfile's layers on top.
    """

    PLAIN = "plain"
    CHUNKED = "chunked"
    ENCAPSULATED = "encapsulated"
    DERIVED = "derived"

    @property
    def is_ostree(self) -> bool:
        """Whether the layers hold an ostree commit's objects."""
        return self in (Form.ENCAPSULATED, Form.DERIVED)


class Variant(StrEnum):
    """`changed` is the next version of `base`: one small package is another, in a layer of its own.

    `composefs` has an ostree that is built with composefs, and boots by it.
    """

    BASE = "base"
    CHANGED = "changed"
    COMPOSEFS = "composefs"


class UnsupportedError(Exception):
    """What was asked for is not made yet, or cannot be."""


@dataclass(frozen=True, slots=True)
class Request:
    """One stand-in layer, as asked for."""

    flavour: Flavour = Flavour.DEBIAN
    form: Form = Form.PLAIN
    variant: Variant = Variant.BASE
    version: str = ""
    arch: Arch = Arch.X86_64

    @property
    def full_version(self) -> str:
        """The version asked for, else the variant's own."""
        return self.version or (CHANGED_VERSION if self.variant is Variant.CHANGED else DEFAULT_VERSION)

    @property
    def rhel_version(self) -> str:
        """X.Y of the version X.Y.<date>-<n>."""
        match = _VERSION.fullmatch(self.full_version)
        if match is None:
            raise UnsupportedError(f"{self.full_version} is not of the form X.Y.YYYYMMDD-N")
        return match[1]

    @property
    def file_name(self) -> str:
        """The archive's name, as CoreOS builds name theirs."""
        return f"rhcos-{self.full_version}-ostree.{self.arch}.ociarchive"

    def check(self) -> None:
        """Refuse a version that is none, and what is not made of an architecture."""
        if not self.rhel_version:
            raise UnsupportedError("no version")
        if self.arch is Arch.X86_64:
            return
        if self.arch.value not in _table()["architecture"]:
            raise UnsupportedError(f"{self.arch} has a small layer only")
        plain = (Flavour.DEBIAN, Form.PLAIN)
        if (self.flavour, self.form) != plain or self.variant is Variant.COMPOSEFS:
            raise UnsupportedError(f"the layer of {self.arch} is the flavour debian in the form plain")


@dataclass(frozen=True, slots=True)
class Recipe:
    """recipe.toml, typed, for one architecture."""

    arch: Arch
    suite: str
    grub_suite: str
    grub_minimum: str
    grub_pin: str
    keyring: Path
    packages: tuple[str, ...]
    excluded: tuple[str, ...]
    included: tuple[str, ...]
    links: Mapping[str, str]
    hardlinks: Mapping[str, str]
    removed: tuple[str, ...]
    removed_patterns: tuple[str, ...]
    emptied: tuple[str, ...]
    masked_units: tuple[str, ...]
    masked_generators: tuple[str, ...]
    vendor: str
    efi_modules: tuple[str, ...]
    efi_formats: Mapping[str, str]
    isolinux: Mapping[str, Sequence[str]]
    rpms: Mapping[str, str]
    tools: tuple[str, ...] = ()
    tool_rpms: Mapping[str, str] = field(default_factory=dict)

    @property
    def grub_package(self) -> str:
        """The package of GRUB's modules for UEFI."""
        return f"grub-efi-{self.arch.row.names.debian}-bin"


@cache
def read_recipe(
    flavour: Flavour = Flavour.DEBIAN, variant: Variant = Variant.BASE, arch: Arch = Arch.X86_64
) -> Recipe:
    """The recipe of a flavour's variant."""
    recipe = _debian(arch) if flavour is Flavour.DEBIAN else _coreos(_debian(arch))
    return _composefs(recipe) if variant is Variant.COMPOSEFS else recipe


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads((HERE / "recipe.toml").read_text())


def _debian(arch: Arch) -> Recipe:
    table = _table()
    debian, own = table["debian"], table["architecture"][arch.value]
    named = partial(str.format, debian=arch.row.names.debian, efi=efi_name(arch))
    rpms = {named(rpm): named(package) for rpm, package in table["rpms"].items()}
    return Recipe(
        arch=arch,
        suite=debian["suite"],
        grub_suite=debian["grub_suite"],
        grub_minimum=debian["grub_minimum"],
        grub_pin=debian["grub_pin"],
        keyring=Path(debian["keyring"]),
        packages=(*(named(name) for group in table["packages"].values() for name in group), *own["packages"]),
        excluded=_patterns(table["exclude"]),
        included=_patterns(table["include"]),
        links=table["links"],
        hardlinks=table["hardlinks"],
        removed=tuple(table["remove"]["paths"]),
        removed_patterns=tuple(table["remove"]["patterns"]),
        emptied=tuple(table["remove"]["directories"]),
        masked_units=tuple(table["mask"]["units"]),
        masked_generators=tuple(table["mask"]["generators"]),
        vendor=table["grub"]["vendor"],
        efi_modules=tuple(table["grub"]["efi_modules"]),
        efi_formats=table["grub"]["efi_formats"],
        isolinux=own.get("isolinux", {}),
        rpms=rpms | own.get("rpms", {}),
    )


def efi_name(arch: Arch) -> str:
    """How the names of the architecture's EFI programs end."""
    if arch.row.uefi is None:
        raise UnsupportedError(f"{arch} has no UEFI")
    return arch.row.uefi.name


def _coreos(debian: Recipe) -> Recipe:
    """recipe.toml with what coreos.toml changes in it."""
    table = tomllib.loads((HERE / "coreos.toml").read_text())
    left_out = set(table["packages"]["left_out"])
    packages = [*(name for name in debian.packages if name not in left_out), *table["packages"]["added"]]
    rpms = {rpm: package for rpm, package in debian.rpms.items() if package not in left_out}
    return replace(
        debian,
        packages=tuple(packages),
        excluded=(*debian.excluded, *table["exclude"]["files"]),
        removed_patterns=(*debian.removed_patterns, *table["remove"]["patterns"]),
        rpms=rpms | table["rpms"],
        tools=tuple(table["tools"]),
        tool_rpms=table["tools"],
    )


def _composefs(recipe: Recipe) -> Recipe:
    """A flavour's recipe with what composefs.toml changes in it."""
    table = tomllib.loads((HERE / "composefs.toml").read_text())
    return replace(
        recipe,
        grub_pin=f"{recipe.grub_pin} {table['debian']['pin']}",
        rpms={**recipe.rpms, **table["rpms"]},
    )


def _patterns(table: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    modules = (f"/usr/lib/modules/*/kernel/{pattern}" for pattern in table["modules"])
    return (*table["files"], *modules)
