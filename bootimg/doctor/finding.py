"""One thing that bootimg needs from a machine, and whether the machine has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bootimg.hostpackages import Packages


class Status(StrEnum):
    """Whether a requirement is met."""

    OK = "ok"
    MISSING = "missing"
    TOO_OLD = "too-old"
    FAULT = "fault"


class Use(StrEnum):
    """What uses a thing: every build, the appliance, or only some commands and options."""

    BUILD = "build"
    APPLIANCE = "appliance"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFinding:
    """One line of the report.

    `needed` is False if only some commands use the thing, or only the appliance, and the cache has what the
    appliance makes.
    """

    name: str
    status: Status
    purpose: str
    use: Use = Use.BUILD
    needed: bool = True
    version: str | None = None
    minimum: str | None = None
    detail: str = ""
    packages: Packages | None = None

    @property
    def good(self) -> bool:
        """Whether the requirement is met."""
        return self.status is Status.OK

    def as_dict(self) -> dict[str, object]:
        """The finding as `--json` prints it."""
        return {
            "name": self.name,
            "status": str(self.status),
            "needed": self.needed,
            "use": str(self.use),
            "purpose": self.purpose,
            "version": self.version,
            "minimum": self.minimum,
            "detail": self.detail,
            "install": {"apt": self.packages.apt, "dnf": self.packages.dnf} if self.packages else None,
        }
