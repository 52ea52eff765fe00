"""An SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3) of an image and the packages in it.

The same image gives the same document: the creation time is the image's, and the digest gives the name space.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from bootimg.layer.image.fetched import Image, hex_of
from bootimg.rpmdb.lists import in_order
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.purl import image_url, package_url
from bootimg.rpmdb.supplier import supplier

Json = dict[str, Any]
_NOTHING = "NOASSERTION"
_DOCUMENT, _IMAGE = "SPDXRef-DOCUMENT", "SPDXRef-image"
_PLACE = "https://spdx.org/spdxdocs"


def sbom(image: Image, packages: Iterable[Package], os_id: str, *, located: bool = True) -> Json:
    """The document; `os_id` is the ID of the image's os-release, empty if it has none.

    With `located` it names the image's registry; without, the document is the same for every registry.
    Licences are not asserted, because the licences in RPM's headers are not SPDX expressions.
    """
    name = f"{image.osname}-{image.version}" if image.version else image.osname
    described = [_package(each, os_id) for each in in_order(packages)]
    unique = {each["SPDXID"]: each for each in described}
    contained = [_relationship(_IMAGE, "CONTAINS", each) for each in unique]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": name,
        "documentNamespace": f"{_PLACE}/{_id(name)}-{uuid.uuid5(uuid.NAMESPACE_URL, image.digest)}",
        "creationInfo": {
            "created": datetime.fromtimestamp(image.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: bootimg-{version('bootimg')}"],
        },
        "packages": [_image(image, name, image_url(image, located=located)), *unique.values()],
        "relationships": [_relationship(_DOCUMENT, "DESCRIBES", _IMAGE), *contained],
    }


def dump_sbom(document: Json) -> bytes:
    """The bytes of the document's file."""
    return json.dumps(document, indent=2).encode() + b"\n"


def _image(image: Image, name: str, url: str) -> Json:
    return {
        **_common(_IMAGE, name, url),
        **({"versionInfo": image.version} if image.version else {}),
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": hex_of(image.digest)}],
        "supplier": _NOTHING,
    }


def _package(package: Package, os_id: str) -> Json:
    url = package_url(package, os_id)
    mark = hashlib.sha256(url.encode()).hexdigest()[:12]
    built = {"sourceInfo": f"built from {package.source}"} if package.source else {}
    return {
        **_common(f"SPDXRef-{package.kind}-{_id(package.name)}-{mark}", package.name, url),
        "versionInfo": package.evr,
        "supplier": _supplier(package),
        **built,
    }


def _common(id: str, name: str, url: str) -> Json:
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}
    return {
        "SPDXID": id,
        "name": name,
        "downloadLocation": _NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": _NOTHING,
        "licenseDeclared": _NOTHING,
        "copyrightText": _NOTHING,
        "externalRefs": [reference],
    }


def _supplier(package: Package) -> str:
    name = supplier(package)
    return f"Organization: {name}" if name else _NOTHING


def _id(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text)


def _relationship(one: str, kind: str, other: str) -> Json:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
