"""The Sigstore bundles of a build's SBOM and provenance."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.builds.find import Build
from bootimg.builds.layout import BUNDLE
from bootimg.builds.signing.attestations import check_attestations
from bootimg.builds.signing.cosignkey import read_public_key
from bootimg.builds.signing.signatures import SignatureState
from bootimg.checks.builds.signaturerules import Signatures
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule


def attestation_findings(build: Build, wanted: Signatures) -> Iterator[Finding]:
    """Findings about the bundles; a missing one is a finding only if keys are given.

    Without keys only what the bundles hold is compared.  Errors: those of `read_public_key`.
    """
    keys = [read_public_key(each) for each in wanted.cosign_keys]
    for each in check_attestations(build, keys):
        name = each.path.name
        if each.state is SignatureState.MISSING and keys:
            yield finding(Rule.BUNDLE_GONE, name, f"no {name}{BUNDLE}", "the file has no signed statement")
        if each.state is SignatureState.BAD:
            yield finding(Rule.BUNDLE_BAD, f"{name}{BUNDLE}", each.reason, "the bundle is not a proof")
