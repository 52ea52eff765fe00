"""What refers to the images of a build in a real registry: SBOM, provenance, bundles, signature."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.builds.made import Made
from bootimg.builds.provenance.statement import SLSA, SPDX
from bootimg.builds.provenance.writing import write_provenance
from bootimg.builds.record import Record, change_record
from bootimg.builds.signing.bundle import BUNDLE_TYPE, parse_bundle
from bootimg.builds.signing.cosignkey import read_public_key
from bootimg.builds.source import Source
from bootimg.cli.main import bootimg
from bootimg.cloud.registries.manifests import SIGNATURE_TYPE, SPDX_TYPE, fallback_tag
from tests.integration.clouds.commands import meta
from tests.integration.registries.test_faults import PLAIN, address
from tests.support.builds.registrybuilds import BUILD, make_builds
from tests.support.clouds.faultproxy import Proxy
from tests.unit.builds.test_attest import pem, public

MADE = Made(bootimg="1", deploy="native", target_imgref="")
SOURCE = Source("pkg:oci/os@sha256:ab?arch=amd64&repository_url=r.io/os", "docker://r.io/os:9.6")
INTOTO = "application/vnd.in-toto+json"
TYPES = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
X86 = Arch.X86_64


def invoke(*words: object) -> dict[str, Any]:
    done = CliRunner().invoke(bootimg, [*map(str, words), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def get(proxy: Proxy, name: str, path: str) -> bytes:
    request = urllib.request.Request(f"{proxy.url}/v2/{name}/{path}", headers={"Accept": TYPES})
    with urllib.request.urlopen(request) as answer:
        data: bytes = answer.read()
    return data


def referring(proxy: Proxy, name: str, digest: str) -> dict[str, list[tuple[dict[str, Any], bytes]]]:
    """The manifests and blobs that refer to an image, by artifact type, as readers of OCI 1.1 find them."""
    found: dict[str, list[tuple[dict[str, Any], bytes]]] = {}
    for each in json.loads(get(proxy, name, f"manifests/{fallback_tag(digest)}"))["manifests"]:
        manifest = json.loads(get(proxy, name, f"manifests/{each['digest']}"))
        assert manifest["subject"]["digest"] == digest
        assert manifest["artifactType"] == each["artifactType"]
        (layer,) = manifest["layers"]
        found.setdefault(each["artifactType"], []).append(
            (manifest, get(proxy, name, f"blobs/{layer['digest']}"))
        )
    return found


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build of x86_64 with SBOM, provenance, bundles of both, and the signature of a disk."""
    builds = tmp_path / "builds"
    path = make_builds(builds)[X86]
    with open_build(builds, BUILD, X86) as folder:
        change_record(path, Record(made={"qemu": MADE}, source=SOURCE))
        write_provenance(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "cosign.key").write_bytes(pem(key))
    (tmp_path / "cosign.pub").write_bytes(public(key))
    invoke("sign", BUILD, "-o", builds, "--arch", X86, "--cosign-key", tmp_path / "cosign.key")
    return path


def test_statements_and_bundles_refer_to_the_layer_and_to_disks(
    build: Path, proxy: Proxy, tmp_path: Path
) -> None:
    builds, where = tmp_path / "builds", f"{address(proxy)}/a"
    words = ("--registry", f"oscontainer={where}/layer:stable", "--registry", f"disks={where}/disks:stable")
    layer, disks = invoke("upload", BUILD, "-o", builds, *words, *PLAIN)["uploads"]
    assert layer["image"]["url"] == f"{where}/layer:stable"
    tagged = get(proxy, "a/layer", "manifests/stable")
    assert get(proxy, "a/layer", f"manifests/{layer['image']['digest']}") == tagged
    image = meta(build)["base-oscontainer"]["digest"]
    assert image in [each["digest"] for each in json.loads(tagged)["manifests"]]
    assert disks["image"]["url"] == f"{where}/disks:stable"
    record = json.loads((build / "bootimg.json").read_text())
    disk = next(each["digest"] for each in record["disk-artifacts"] if each["platform"] == "qemu")
    for name, digest, more in (("a/layer", image, set()), ("a/disks", disk, {SIGNATURE_TYPE})):
        found = referring(proxy, name, digest)
        assert set(found) == {SPDX_TYPE, INTOTO, BUNDLE_TYPE} | more
        for kind, key in ((SPDX_TYPE, "sbom"), (INTOTO, "provenance")):
            ((_, data),) = found[kind]
            assert data == (build / record[key]["path"]).read_bytes()
        bundles = found[BUNDLE_TYPE]
        predicates = [each["annotations"]["dev.sigstore.bundle.predicateType"] for each, _ in bundles]
        assert sorted(predicates) == sorted([SPDX, SLSA])
        public_key = read_public_key(tmp_path / "cosign.pub")
        for _, data in bundles:
            assert parse_bundle(data).is_signed_by(public_key)
    # The provenance that refers to the layer names the very image: its manifest is a subject.
    (statement,) = [data for _, data in referring(proxy, "a/layer", image)[INTOTO]]
    digests = {each["digest"]["sha256"] for each in json.loads(statement)["subject"]}
    assert image.removeprefix("sha256:") in digests
    again = invoke("upload", BUILD, "-o", builds, *words, *PLAIN)["uploads"]
    assert {place["state"] for each in again for place in each["places"]} == {"was there"}


def test_a_pull_brings_statements_and_bundles(build: Path, proxy: Proxy, tmp_path: Path) -> None:
    where = f"{address(proxy)}/a/disks:stable"
    invoke(
        "upload", BUILD, "-o", tmp_path / "builds", "--registry", f"disks={where}", "--tls-verify", "false"
    )
    out = tmp_path / "out"
    out.mkdir()
    invoke("pull", where, "-p", "qemu", "--arch", X86, "--output", out, "--cache", tmp_path / "cache", *PLAIN)
    record = json.loads((build / "bootimg.json").read_text())
    names = {record[key]["path"] + end for key in ("sbom", "provenance") for end in ("", ".sigstore.json")}
    assert names < {each.name for each in out.iterdir()}
    for name in names:
        assert (out / name).read_bytes() == (build / name).read_bytes()
