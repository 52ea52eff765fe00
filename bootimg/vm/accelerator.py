"""The accelerator of a virtual machine: hardware virtualization or translation."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Accelerator:
    """`kvm` (hardware) or `tcg` (translation, slow), and the reason for the choice."""

    name: Literal["kvm", "tcg"]
    reason: str

    @property
    def cpus(self) -> int:
        """The default number of CPUs of a guest.

        It is one under TCG.  A kernel changes its own code while it runs, and with several CPUs a QEMU thread
        may still run the old code.  On a busy machine that crashes the guest ("Oops: int3").
        """
        return min(os.cpu_count() or 1, 4) if self.name == "kvm" else 1

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"
