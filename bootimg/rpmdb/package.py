"""An installed package of RPM or dpkg."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_KEY = "gpg-pubkey"


class Kind(StrEnum):
    """The package manager of a package, by its name in package URLs."""

    RPM = "rpm"
    DEB = "deb"


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package; a field that the database does not have is None.

    A Debian version is split into the same parts as RPM's; `release` is empty if it has no revision.
    `source` is the file name of the source RPM, or the name of the Debian source package.
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
        """The name with version and architecture, as `rpm -qa` prints for `%{NEVRA}`."""
        epoch = "" if self.epoch is None else f"{self.epoch}:"
        return f"{self.name}-{epoch}{_joined(self.version, self.release)}{self._dot_arch}"

    @property
    def evr(self) -> str:
        """`[epoch:]version-release`; an epoch of 0 is not written."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{_joined(self.version, self.release)}"

    @property
    def evra(self) -> str:
        """`evr` with `.arch`."""
        return f"{self.evr}{self._dot_arch}"

    @property
    def _dot_arch(self) -> str:
        return "" if self.arch is None else f".{self.arch}"

    @property
    def is_key(self) -> bool:
        """Whether this is a signing key, which RPM stores as a package."""
        return self.kind is Kind.RPM and self.name == _KEY


def _joined(version: str, release: str) -> str:
    return f"{version}-{release}" if release else version
