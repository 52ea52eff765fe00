"""The SPDX document of an image, as the reference library of SPDX and that of package URLs read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packageurl import PackageURL
from spdx_tools.spdx.model.document import Document
from spdx_tools.spdx.model.relationship import RelationshipType
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from bootimg.arch import Arch
from bootimg.layer.image.fetched import Image, build_image
from bootimg.rpmdb.package import Kind, Package
from bootimg.rpmdb.purl import package_url
from bootimg.rpmdb.spdx import sbom
from bootimg.untrusted.budget import Budget
from tests.support.layers import oci
from tests.unit.rpmdb.test_database import PLACE, database, header
from tests.unit.rpmdb.test_images import run

GRUB = Package("grub2-tools", 1, "2.06", "80.el9_4", "x86_64", "Red Hat, Inc.", "grub2-2.06-80.el9_4.src.rpm")
PACKAGES = [
    GRUB,
    Package("kernel", 0, "5.14.0", "572.el9", "x86_64", "Red Hat, Inc."),
    Package("kernel", 0, "5.14.0", "570.el9", "x86_64", "Red Hat, Inc."),
    Package("libstdc++", None, "11.5~rc1^git", "1", "i686"),
    Package("gpg-pubkey", None, "fd431d51", "4ae0493b", None),
]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    layout = oci.Layout(tmp_path / "image")
    made = layout.image([oci.bootable()])
    manifest = (layout.blobs / made["digest"][7:]).read_bytes()
    config = (layout.blobs / json.loads(manifest)["config"]["digest"][7:]).read_bytes()
    return build_image("quay.io/a/rhel-coreos:9.6", manifest, config, Arch.X86_64, Budget())


def read(document: dict[str, Any], folder: Path) -> Document:
    path = folder / "x.spdx.json"
    path.write_text(json.dumps(document))
    return parse_file(str(path))


def problems(document: dict[str, Any], folder: Path) -> list[str]:
    return [
        each.validation_message for each in validate_full_spdx_document(read(document, folder), "SPDX-2.3")
    ]


def test_the_document_is_valid_and_names_every_package(image: Image, tmp_path: Path) -> None:
    document = sbom(image, PACKAGES, "rhel")
    assert problems(document, tmp_path) == []
    found = read(document, tmp_path)
    assert found.creation_info.name == "rhcos-9.6.20261101-0"
    assert [each.name for each in found.packages] == [
        "rhcos-9.6.20261101-0", "grub2-tools", "kernel", "kernel", "libstdc++"]  # fmt: skip
    grub = found.packages[1]
    assert (grub.version, str(grub.supplier)) == ("1:2.06-80.el9_4", "Organization: Red Hat, Inc.")
    assert grub.source_info == "built from grub2-2.06-80.el9_4.src.rpm"
    assert [each.locator for each in grub.external_references] == [
        "pkg:rpm/redhat/grub2-tools@2.06-80.el9_4?arch=x86_64&epoch=1"
    ]
    contained = [each for each in found.relationships if each.relationship_type is RelationshipType.CONTAINS]
    assert {each.related_spdx_element_id for each in contained} == {
        each.spdx_id for each in found.packages[1:]
    }


def test_the_digest_identifies_the_image(image: Image) -> None:
    described = sbom(image, [], "rhel")["packages"][0]
    assert described["checksums"] == [{"algorithm": "SHA256", "checksumValue": image.digest[7:]}]
    url = PackageURL.from_string(described["externalRefs"][0]["referenceLocator"])
    assert (url.type, url.name, url.version) == ("oci", "rhel-coreos", image.digest)
    assert url.qualifiers == {"arch": "amd64", "repository_url": "quay.io/a/rhel-coreos"}


def test_where_an_image_is_can_be_left_out(image: Image) -> None:
    described = sbom(image, [], "rhel", located=False)["packages"][0]
    url = PackageURL.from_string(described["externalRefs"][0]["referenceLocator"])
    assert (url.name, url.version, url.qualifiers) == ("rhcos", image.digest, {"arch": "amd64"})


def test_the_same_image_gives_the_same_document(image: Image) -> None:
    assert sbom(image, PACKAGES, "rhel") == sbom(image, reversed(PACKAGES), "rhel")


@pytest.mark.parametrize(
    ("os_id", "package", "url"),
    [
        ("rhel", GRUB, "pkg:rpm/redhat/grub2-tools@2.06-80.el9_4?arch=x86_64&epoch=1"),
        ("fedora", PACKAGES[1], "pkg:rpm/fedora/kernel@5.14.0-572.el9?arch=x86_64"),
        ("", PACKAGES[3], "pkg:rpm/redhat/libstdc%2B%2B@11.5~rc1%5Egit-1?arch=i686"),
        (
            "rhel",
            Package("dpkg", 1, "2.3", "", "amd64", kind=Kind.DEB),
            "pkg:deb/debian/dpkg@1:2.3?arch=amd64",
        ),
    ],
)
def test_package_urls(os_id: str, package: Package, url: str) -> None:
    assert package_url(package, os_id) == url
    assert PackageURL.from_string(url).to_string() == url


# Without what the library of package URLs takes off the ends, and no name has: space, controls, slashes.
LETTERS = st.characters(exclude_categories=["C", "Z"], exclude_characters="/")
TEXT = st.text(LETTERS, min_size=1, max_size=12)


@given(TEXT, TEXT, TEXT, TEXT, st.integers(0, 9))
def test_any_package_has_a_url_that_says_what_it_is(
    name: str, version: str, release: str, arch: str, epoch: int
) -> None:
    found = PackageURL.from_string(package_url(Package(name, epoch, version, release, arch), "rhel"))
    assert (found.name, found.version, found.namespace) == (name, f"{version}-{release}", "redhat")
    assert found.qualifiers == {"arch": arch} | ({"epoch": str(epoch)} if epoch else {})


@settings(max_examples=30, deadline=None)
@example(name="x", version="1", vendor="\b", kind=Kind.RPM)
@given(name=TEXT, version=TEXT, vendor=st.none() | st.text(max_size=9), kind=st.sampled_from(Kind))
def test_any_package_gives_a_valid_document(
    name: str, version: str, vendor: str | None, kind: Kind, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x")
    layout = oci.Layout(folder / "image")
    made = layout.image([oci.tar()])
    manifest = (layout.blobs / made["digest"][7:]).read_bytes()
    config = (layout.blobs / json.loads(manifest)["config"]["digest"][7:]).read_bytes()
    image = build_image("quay.io/a/x:1", manifest, config, Arch.X86_64, Budget())
    package = Package(name, None, version, "1", "noarch", vendor, vendor, kind)
    assert problems(sbom(image, [package], "rhel"), folder) == []


def test_the_command_prints_the_document(tmp_path: Path) -> None:
    blob = header(name="bash", version="5.1", release="1.el9", arch="x86_64", vendor="Example, Inc.")
    release = oci.file("etc/os-release", b"ID=fedora\n")
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(oci.file(PLACE, database(tmp_path / "made", blobs=(blob,)))), oci.tar(release)])
    plain, as_json = (run("sbom", layout.path, *words, tmp_path=tmp_path) for words in ([], ["--json"]))
    assert json.loads(plain) == json.loads(as_json)
    assert problems(json.loads(plain), tmp_path) == []
    urls = [each["externalRefs"][0]["referenceLocator"] for each in json.loads(plain)["packages"]]
    assert urls[1] == "pkg:rpm/fedora/bash@5.1-1.el9?arch=x86_64"
