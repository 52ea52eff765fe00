"""The partitions of a CoreOS disk by architecture, and the identifiers that its first boot replaces.

The numbers of boot and root are part of the interface: programs have the numbers 3 and 4 built in.

This table repeats what the manifests write, and is not part of the table of architectures: a check must not
read its expectation from what it checks.  A test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.sizes import MIB

DISK_GUID = "00000000-0000-4000-a000-000000000001"
"""coreos-gpt-setup replaces this GUID with a random one."""
TAIL = MIB
"""Bytes that stay free after the last partition."""

_XBOOTLDR = "bc13c2ff-59e6-4262-a352-b275fd6f7172"
_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_RESERVED = "8da63339-0007-60c0-c436-083ac8230908"
PREP = "9e1a2d38-c612-4316-aa26-8b49521e5a8b"
"""The type of the partition from which the firmware of ppc64le starts."""
_LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"


@dataclass(frozen=True, slots=True)
class Place:
    """An expected partition; `size` in bytes, None if it varies."""

    number: int
    name: str
    type_guid: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class ExpectedLayout:
    """The partitions of an architecture's disk."""

    arch: Arch
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Filesystem:
    """A filesystem's type and UUID as blkid prints them; its label is the partition's name."""

    type: str
    uuid: str


_BOOT = Place(3, "boot", _XBOOTLDR, 384 * MIB)
_EFI = Place(2, "EFI-SYSTEM", _ESP, 127 * MIB)

LAYOUTS = (
    ExpectedLayout(
        Arch.X86_64,
        (
            Place(1, "BIOS-BOOT", "21686148-6449-6e6f-744e-656564454649", MIB),
            _EFI,
            _BOOT,
            Place(4, "root", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
        ),
    ),
    ExpectedLayout(
        Arch.AARCH64,
        (
            Place(1, "reserved", _RESERVED, MIB),
            _EFI,
            _BOOT,
            Place(4, "root", "b921b045-1df0-41c3-af44-4c6f280d3fae"),
        ),
    ),
    ExpectedLayout(
        Arch.PPC64LE,
        (
            Place(1, "PowerPC-PReP-boot", PREP, 4 * MIB),
            Place(2, "reserved", _RESERVED, MIB),
            _BOOT,
            Place(4, "root", "c31c45e6-3f39-412e-80fb-4809c4980599"),
        ),
    ),
    ExpectedLayout(Arch.S390X, (_BOOT, Place(4, "root", "5eead9a9-fe09-4a1e-a1d7-520d00531306"))),
    # Secure Execution.
    ExpectedLayout(
        Arch.S390X,
        (
            Place(1, "se", _LINUX),
            Place(3, "boot", _LINUX, 384 * MIB),
            Place(4, "root", _LINUX),
            Place(5, "boothash", _LINUX),
            Place(6, "roothash", "b325bfbe-c7be-4ab8-8357-139e652d2f6b"),
        ),
    ),
)

FILESYSTEMS: Mapping[str, Filesystem] = {
    "EFI-SYSTEM": Filesystem("vfat", "7B77-95E7"),
    "boot": Filesystem("ext4", "96d15588-3596-4b3c-adca-a2ff7279ea63"),
    "root": Filesystem("xfs", "910678ff-f77e-4a7d-8d53-86f2ac47a823"),
}
"""By the partition's name.  The first boot replaces these UUIDs of boot and root with random ones."""


def arch_of_root(type_guids: Iterable[str]) -> Arch | None:
    """The architecture whose root partition has one of the types; None if there is no such partition."""
    found = set(type_guids)
    for layout in LAYOUTS:
        for place in layout.places:
            if place.name == "root" and place.type_guid != _LINUX and place.type_guid in found:
                return layout.arch
    return None
