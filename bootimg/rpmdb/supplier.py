"""Who supplies a package, as SBOMs name an organization."""

from __future__ import annotations

import re

from bootimg.rpmdb.package import Kind, Package


def supplier(package: Package) -> str | None:
    """The vendor of an RPM, or the maintainer (perhaps a team) of a Debian package; None if unknown."""
    # In SPDX's `Organization: name (address)` brackets and line breaks have a meaning.
    vendor = "".join(each if each.isprintable() else " " for each in package.vendor or "")
    name = re.sub(r"[\s()]+", " ", vendor).strip()
    if package.kind is Kind.DEB:
        name = re.sub(r" ?<[^>]*>", "", name) or name
    return name or None
