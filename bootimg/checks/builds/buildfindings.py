"""All findings about a build."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.builds.find import Build
from bootimg.builds.layout import META
from bootimg.checks.builds.artifactrules import artifact_findings
from bootimg.checks.builds.attestationrules import attestation_findings
from bootimg.checks.builds.companionrules import companion_findings
from bootimg.checks.builds.draftrules import draft_findings
from bootimg.checks.builds.metarules import LABELS, meta_findings
from bootimg.checks.builds.provenancerules import provenance_findings
from bootimg.checks.builds.signaturerules import Signatures, signature_findings, usable
from bootimg.checks.findings import Finding, as_warnings
from bootimg.checks.purity import Purity, label_purity
from bootimg.events import Events
from bootimg.untrusted.limits import DEFAULT, Limits


def build_findings(
    build: Build,
    events: Events,
    mode: Purity = Purity.ERROR,
    allow: Sequence[str] = (),
    signatures: Signatures = Signatures(),  # noqa: B008 (frozen)
    jobs: int = 1,
    limits: Limits = DEFAULT,
) -> list[Finding]:
    """All findings about a build; reads every artifact, `jobs` at a time, SBOM and provenance.

    Raises `sign-key-unknown` and `program-missing` if signatures cannot be checked.
    """
    labels = build.meta.get(LABELS)
    impure = []
    if mode is not Purity.OFF and isinstance(labels, dict):
        texts = {name: str(value) for name, value in labels.items()}
        impure = [*label_purity(texts, f"{META}, {LABELS}", allow)]
    if mode is Purity.WARN:
        impure = as_warnings(impure)
    found = [*impure, *meta_findings(build), *artifact_findings(build, events, jobs, limits)]
    found += [*companion_findings(build), *draft_findings(build)]
    if not usable(found):
        return found
    found += [*provenance_findings(build), *signature_findings(build, signatures)]
    return [*found, *attestation_findings(build, signatures)]
