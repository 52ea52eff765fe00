"""What became of each architecture: an outcome or a plan, or the error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from bootimg.arch import Arch
from bootimg.errors import BootimgError


class Described(Protocol):
    """An outcome or a plan."""

    def as_dict(self) -> dict[str, object]:
        """It as `--json` prints it."""


Value = TypeVar("Value", bound=Described)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchResult(Generic[Value]):
    """The result of one architecture: either `value` or `error` is None."""

    arch: Arch
    value: Value | None = None
    error: BootimgError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchResults(Generic[Value]):
    """The results of all architectures in the order of `Arch`; `left_out` is that of the requests."""

    results: tuple[ArchResult[Value], ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def values(self) -> Iterator[Value]:
        """What was made or planned."""
        return (each.value for each in self.results if each.value is not None)

    @property
    def errors(self) -> Mapping[Arch, BootimgError]:
        """The errors of the architectures that failed."""
        return {each.arch: each.error for each in self.results if each.error is not None}

    def as_dict(self, name: str) -> dict[str, object]:
        """The results as `--json` prints them; `name` is the key of the values."""
        return {
            "arches": [
                {
                    "arch": each.arch.value,
                    name: each.value.as_dict() if each.value else None,
                    "error": each.error.as_dict() if each.error else None,
                }
                for each in self.results
            ],
            "left-out": dict(self.left_out),
        }
