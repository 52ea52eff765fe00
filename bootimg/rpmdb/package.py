"""An installed package, as RPM or dpkg has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_KEY = "gpg-pubkey"


class Kind(StrEnum):
    """Which program installed a package, by the name that package URLs have for it."""

    RPM = "rpm"
    DEB = "deb"


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package; what its database does not say is None.

    Debian's version is split as RPM's is; `release` is empty where it has no revision.  `source` is
    the file name of the source RPM, or the name of Debian's source package.
    """

    name: str
    epoch: int | None
    version: str
    release: str
    arch: str | None
    vendor: str | None = None
    source: str | None = None
    kind: Kind = Kind.RPM

    @property
    def nevra(self) -> str:
        """As `rpm -qa` with `%{NEVRA}` has it."""
        epoch = "" if self.epoch is None else f"{self.epoch}:"
        return f"{self.name}-{epoch}{_joined(self.version, self.release)}{self._dot_arch}"

    @property
    def evr(self) -> str:
        """`[epoch:]version-release`; an epoch of 0 is not written."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{_joined(self.version, self.release)}"

    @property
    def evra(self) -> str:
        """The same with `.arch`."""
        return f"{self.evr}{self._dot_arch}"

    @property
    def _dot_arch(self) -> str:
        return "" if self.arch is None else f".{self.arch}"

    @property
    def is_key(self) -> bool:
        """Whether it is a signing key, which RPM keeps among the packages."""
        return self.kind is Kind.RPM and self.name == _KEY


def _joined(version: str, release: str) -> str:
    return f"{version}-{release}" if release else version
