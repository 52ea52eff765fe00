"""What a virtual machine's CPU is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Accelerator:
    """`kvm` (hardware) or `tcg` (translation, slow), and why it is the one."""

    name: Literal["kvm", "tcg"]
    reason: str

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"
