"""The CycloneDX document of an image, as CycloneDX's own library and that of package URLs read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from bootimg.layer.image.fetched import Image
from bootimg.rpmdb.cyclonedx import cyclonedx
from bootimg.rpmdb.package import Kind, Package
from tests.support.layers import oci
from tests.unit.rpmdb.test_database import PLACE, database, header
from tests.unit.rpmdb.test_images import run
from tests.unit.rpmdb.test_sbom import GRUB, PACKAGES, TEXT, image

__all__ = ["image"]
VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def require_valid(document: dict[str, Any]) -> None:
    error = VALIDATOR.validate_str(json.dumps(document))
    assert error is None, error


def test_the_document_is_valid_and_names_every_package_once(image: Image) -> None:
    document = cyclonedx(image, [*PACKAGES, GRUB], "rhel")
    require_valid(document)
    found = Bom.from_json(document)  # type: ignore[attr-defined]
    about = found.metadata.component
    assert (about.name, about.version) == ("rhcos", "9.6.20261101-0")
    assert [(str(each.alg.value), each.content) for each in about.hashes] == [("SHA-256", image.digest[7:])]
    assert {each.name for each in found.components} == {"grub2-tools", "kernel", "libstdc++"}
    assert len(found.components) == 4
    (grub,) = (each for each in found.components if each.name == "grub2-tools")
    assert (grub.version, grub.supplier.name) == ("1:2.06-80.el9_4", "Red Hat, Inc.")
    assert [each.value for each in grub.properties] == ["grub2-2.06-80.el9_4.src.rpm"]
    assert [len(each.dependencies) for each in found.dependencies if each.ref == about.bom_ref] == [4]


def test_package_urls_are_those_of_the_spdx_document(image: Image) -> None:
    document = cyclonedx(image, PACKAGES, "rhel", located=False)
    urls = [PackageURL.from_string(each["purl"]) for each in document["components"]]
    assert urls[0].to_string() == "pkg:rpm/redhat/grub2-tools@2.06-80.el9_4?arch=x86_64&epoch=1"
    about = PackageURL.from_string(document["metadata"]["component"]["purl"])
    assert (about.type, about.name, about.version) == ("oci", "rhcos", image.digest)
    assert about.qualifiers == {"arch": "amd64"}


def test_the_same_image_gives_the_same_document(image: Image) -> None:
    assert cyclonedx(image, PACKAGES, "rhel") == cyclonedx(image, reversed(PACKAGES), "rhel")


@settings(max_examples=20, deadline=None)
@given(name=TEXT, version=TEXT, vendor=st.none() | st.text(max_size=9), kind=st.sampled_from(Kind))
def test_any_package_gives_a_valid_document(
    name: str,
    version: str,
    vendor: str | None,
    kind: Kind,
    tmp_path_factory: Any,  # noqa: ANN401
) -> None:
    found = image.__wrapped__(tmp_path_factory.mktemp("x"))  # type: ignore[attr-defined]
    require_valid(cyclonedx(found, [Package(name, None, version, "1", "noarch", vendor, vendor, kind)], "x"))


def test_the_command_prints_it_of_an_image_and_spdx_without_the_option(tmp_path: Path) -> None:
    blob = header(name="bash", version="5.1", release="1.el9", arch="x86_64", vendor="Example, Inc.")
    release = oci.file("etc/os-release", b"ID=fedora\n")
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(oci.file(PLACE, database(tmp_path / "made", blobs=(blob,)))), oci.tar(release)])
    document = json.loads(run("sbom", layout.path, "--format", "cyclonedx", tmp_path=tmp_path))
    require_valid(document)
    assert [each["purl"] for each in document["components"]] == ["pkg:rpm/fedora/bash@5.1-1.el9?arch=x86_64"]
    assert json.loads(run("sbom", layout.path, tmp_path=tmp_path))["spdxVersion"] == "SPDX-2.3"
