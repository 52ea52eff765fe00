"""The architectures.  Their facts are in the table `bootimg.arches.table`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bootimg.arches.row import ArchRow
from bootimg.arches.table import ROWS
from bootimg.errors import BootimgError, ExitCode


class Arch(StrEnum):
    """An architecture, by its RPM name."""

    X86_64 = "x86_64"
    AARCH64 = "aarch64"
    PPC64LE = "ppc64le"
    S390X = "s390x"

    @property
    def row(self) -> ArchRow:
        """The facts about the architecture."""
        return ROWS[self.value]

    @property
    def oci(self) -> str:
        """The name that OCI image indexes and Go programs use (GOARCH)."""
        return self.row.names.oci

    @property
    def rust(self) -> str:
        """The name that Rust programs, such as bootc, use (std::env::consts::ARCH)."""
        return self.row.names.rust

    @classmethod
    def of_machine(cls) -> Arch:
        """The architecture of the machine this runs on."""
        return cls.parse(os.uname().machine)

    @classmethod
    def parse(cls, name: str) -> Arch:
        """Take an RPM or an OCI name."""
        for arch in cls:
            if name in (arch.value, arch.oci):
                return arch
        raise BootimgError(
            "arch-unknown",
            f"{name:.80} is not an architecture bootimg knows",
            hint=f"use one of {', '.join(cls)}",
            exit_code=ExitCode.USAGE,
        )


ALL = "all"
"""The word for every architecture that there is."""


@dataclass(frozen=True, slots=True)
class ArchChoice:
    """The architectures that a command is for: those `named` in this order, or all if it names none."""

    named: tuple[Arch, ...] = ()

    @property
    def single(self) -> Arch | None:
        """The architecture, if the choice names exactly one."""
        return self.named[0] if len(self.named) == 1 else None

    @classmethod
    def of_machine(cls) -> Self:
        """The default: this machine's architecture."""
        return cls((Arch.of_machine(),))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take `all`, or names separated by commas; raises `arch-unknown`."""
        names = [name.strip() for name in text.split(",") if name.strip()]
        if ALL in names:
            return cls()
        return cls(tuple(dict.fromkeys(map(Arch.parse, names or [text]))))
