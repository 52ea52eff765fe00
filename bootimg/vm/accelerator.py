"""What a virtual machine's CPU is made of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Accelerator:
    """`kvm` (hardware) or `tcg` (translation, slow), and why it is the one."""

    name: Literal["kvm", "tcg"]
    reason: str

    @property
    def cpus(self) -> int:
        """How many CPUs a guest gets that asks for no number.

        One under TCG: a kernel changes its own code while it runs, and QEMU's threads, one a CPU, may
        still run the old code then.  On a busy machine the guest dies of that ("Oops: int3").
        """
        return min(os.cpu_count() or 1, 4) if self.name == "kvm" else 1

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"
