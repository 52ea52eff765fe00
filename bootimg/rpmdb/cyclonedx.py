"""A CycloneDX 1.6 document (cyclonedx.org/docs/1.6/json) of an image and the packages in it.

The same image gives the same document, as for SPDX: its time is the image's, its serial number comes from
the digest.
"""

from __future__ import annotations

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
_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_SOURCE = "bootimg:source-package"


def cyclonedx(image: Image, packages: Iterable[Package], os_id: str, *, located: bool = True) -> Json:
    """The document; the arguments are those of `bootimg.rpmdb.spdx.sbom`.

    A component's bom-ref is its package URL.
    """
    described = [_component(each, os_id) for each in in_order(packages)]
    unique = {each["bom-ref"]: each for each in described}
    url = image_url(image, located=located)
    return {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{image.digest}#cyclonedx')}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(image.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [_tool()]},
            "component": _image(image, url),
        },
        "components": [*unique.values()],
        "dependencies": [{"ref": url, "dependsOn": [*unique]}],
    }


def _tool() -> Json:
    return {"type": "application", "name": "bootimg", "version": version("bootimg")}


def _image(image: Image, url: str) -> Json:
    return {
        "type": "container",
        "bom-ref": url,
        "name": image.osname,
        **({"version": image.version} if image.version else {}),
        "hashes": [{"alg": "SHA-256", "content": hex_of(image.digest)}],
        "purl": url,
    }


def _component(package: Package, os_id: str) -> Json:
    url, who = package_url(package, os_id), supplier(package)
    source = [{"name": _SOURCE, "value": package.source}] if package.source else []
    return {
        "type": "library",
        "bom-ref": url,
        **({"supplier": {"name": who}} if who else {}),
        "name": package.name,
        "version": package.evr,
        "purl": url,
        **({"properties": source} if source else {}),
    }
