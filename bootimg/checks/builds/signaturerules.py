"""The detached signatures of a build's artifacts and SBOM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.builds.find import Build
from bootimg.builds.layout import SIGNATURE
from bootimg.builds.signing.gpg import USERS, Keys
from bootimg.builds.signing.signatures import SignatureFinding, SignatureState, check_signatures
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule


@dataclass(frozen=True, slots=True)
class Signatures:
    """How to check signatures: whether every artifact must have one (`required`), and the public keys.

    `cosign_keys` are files of public keys of cosign; with them SBOM and provenance must have a bundle.
    """

    required: bool = False
    keys: Keys = USERS
    cosign_keys: tuple[Path, ...] = ()

    def concern(self, build: Build) -> bool:
        """Whether signatures of the build are checked: not those of a build without any, unless required."""
        return self.required or any(build.path.glob(f"*{SIGNATURE}"))


def signature_findings(build: Build, wanted: Signatures) -> Iterator[Finding]:
    """Findings about the signatures; a build without any has none, unless signatures are required."""
    if not wanted.concern(build):
        return
    for each in check_signatures(build, wanted.keys):
        yield from _finding(each)


def _finding(found: SignatureFinding) -> Iterator[Finding]:
    name = found.path.name
    if found.state is SignatureState.MISSING:
        yield finding(Rule.SIGNATURE_GONE, name, f"no {name}{SIGNATURE}", "the file is not signed")
    if found.state is SignatureState.BAD:
        yield finding(Rule.SIGNATURE_BAD, name, found.reason, "the signature is invalid")


def usable(findings: Sequence[Finding]) -> bool:
    """Whether the build names its artifacts well enough to find their signatures."""
    unnamed = (Rule.META_SCHEMA, Rule.ARTIFACT_PATH, Rule.RECORD_UNREADABLE)
    return not any(each.rule in unnamed for each in findings)
