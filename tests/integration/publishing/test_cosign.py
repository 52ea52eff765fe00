"""The real cosign: it verifies the bundles of `bootimg sign`, and `verify` takes those that it makes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bootimg.builds.find import find_build
from tests.layer import tools
from tests.unit.builds.test_attest import SBOM, broken, folder, sign
from tests.unit.builds.test_meta import X86
from tests.unit.builds.test_provenance import FILE

__all__ = ["folder"]

pytestmark = pytest.mark.matrix

PASSWORD = "a secret"
# Nothing is asked of Sigstore's services.
OFFLINE = ("--use-signing-config=false", "--tlog-upload=false")


@pytest.fixture(scope="module")
def program() -> Path:
    if reason := tools.why_not("cosign"):
        pytest.skip(reason)
    return tools.program("cosign")


@pytest.fixture(autouse=True)
def keys(folder: Path, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cosign.key` and `cosign.pub` beside the tree of builds, and `other.pub`: cosign has made them."""
    monkeypatch.setenv("COSIGN_PASSWORD", PASSWORD)
    for name in ("cosign", "other"):
        for suffix in ("key", "pub"):
            (tmp_path / f"{name}.{suffix}").unlink(missing_ok=True)
        cosign(program, "generate-key-pair", f"--output-key-prefix={tmp_path / name}")


def cosign(program: Path, *words: str | Path) -> str:
    """What it says; an error unless it exits with 0."""
    env = {**os.environ, "HOME": "/nonexistent"}
    done = subprocess.run([program, *map(str, words)], env=env, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise ValueError(done.stderr)
    return done.stdout + done.stderr


def verify(program: Path, key: Path, bundle: Path, kind: str, file: Path) -> None:
    words = ("--insecure-ignore-tlog", "--key", key, "--type", kind, "--bundle", bundle)
    assert "Verified OK" in cosign(program, "verify-blob-attestation", *words, file)


def test_cosign_verifies_our_bundles(program: Path, folder: Path, tmp_path: Path) -> None:
    """Provenance for each artifact, the SBOM for the layer: with the key and for these files only."""
    assert [each["made"] for each in sign(folder)] == [True, True]
    build, key = find_build(folder.parents[1], "1", X86), tmp_path / "cosign.pub"
    provenance, sbom = (folder / f"{name}.sigstore.json" for name in (FILE, SBOM))
    for artifact in ("ostree", "oci-manifest", "qemu"):
        verify(program, key, provenance, "slsaprovenance1", build.artifact(artifact))
    for artifact in ("ostree", "oci-manifest"):
        verify(program, key, sbom, "spdxjson", build.artifact(artifact))
    with pytest.raises(ValueError, match="signature"):
        verify(program, tmp_path / "other.pub", provenance, "slsaprovenance1", build.artifact("qemu"))
    other = tmp_path / "other"
    other.write_bytes(b"another file")
    for bundle, kind, file in (
        (provenance, "slsaprovenance1", other),
        (sbom, "spdxjson", build.artifact("qemu")),
    ):
        with pytest.raises(ValueError, match="digest"):
            verify(program, key, bundle, kind, file)


def test_we_take_a_bundle_that_cosign_has_made(program: Path, folder: Path, tmp_path: Path) -> None:
    right, wrong, bundle = tmp_path / "cosign.pub", tmp_path / "other.pub", folder / f"{FILE}.sigstore.json"
    sign(folder, "--artifact", "sbom")
    words = ("--key", tmp_path / "cosign.key", "--statement", folder / FILE, "--bundle", bundle)
    cosign(program, "attest-blob", "--yes", *OFFLINE, *words)
    assert broken(folder, right) == []
    assert broken(folder, wrong) == [("bundle-bad", f"{name}.sigstore.json") for name in (SBOM, FILE)]
    # It is good, so it stays.
    assert [each["made"] for each in sign(folder)] == [False, False]
    document = find_build(folder.parents[1], "1", X86).artifact("qemu")
    verify(program, right, bundle, "slsaprovenance1", document)
