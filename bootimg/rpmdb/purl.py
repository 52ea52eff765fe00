"""Package URLs (github.com/package-url/purl-spec), for packages and for images."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from bootimg.layer.image.fetched import Image
from bootimg.layer.image.reference import Transport, parse_reference
from bootimg.rpmdb.package import Kind, Package

# The vendor's name by the ID of os-release(5); for other systems it is the ID itself.
_NAMESPACES = {"rhel": "redhat", "rhcos": "redhat", "scos": "centos"}
_DEFAULT = {Kind.RPM: "redhat", Kind.DEB: "debian"}


def namespace(os_id: str, kind: Kind) -> str:
    """The vendor in a package's URL, by the system's ID; for Debian packages always debian."""
    if kind is Kind.DEB or not os_id:
        return _DEFAULT[kind]
    return _NAMESPACES.get(os_id, os_id)


def package_url(package: Package, os_id: str) -> str:
    """The URL of a package of a system with that ID; RPM's epoch is a qualifier, Debian's in the version."""
    qualifiers = {"arch": package.arch}
    if package.kind is Kind.DEB:
        version = package.evr
    else:
        version = f"{package.version}-{package.release}"
        qualifiers["epoch"] = str(package.epoch) if package.epoch else None
    vendor = namespace(os_id, package.kind)
    name = package.name.lower() if package.kind is Kind.DEB else package.name
    return f"pkg:{package.kind}/{_quoted(vendor)}/{_quoted(name)}@{_quoted(version)}{_qualified(qualifiers)}"


def image_url(image: Image, *, located: bool = True) -> str:
    """The URL of an image, with its digest; with `located` also its repository, if a registry has it."""
    qualifiers: dict[str, str | None] = {"arch": image.arch.oci}
    name, source = image.osname, parse_reference(image.reference) if located else None
    if source and source.transport is Transport.REGISTRY:
        name = source.repository.rpartition("/")[2]
        qualifiers["repository_url"] = source.repository
    return f"pkg:oci/{_quoted(name.lower())}@{_quoted(image.digest)}{_qualified(qualifiers)}"


def _qualified(qualifiers: Mapping[str, str | None]) -> str:
    words = [f"{key}={_quoted(value)}" for key, value in sorted(qualifiers.items()) if value]
    return f"?{'&'.join(words)}" if words else ""


def _quoted(text: str) -> str:
    # The specification also keeps the colon, beside the characters that URLs never quote.
    return quote(text, safe=":")
