"""Rules for the SBOM beside a build's artifacts: it exists and matches bootimg.json."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.builds.find import Build, digest_of
from bootimg.builds.record import RECORD
from bootimg.builds.sbomrecord import read_sbom
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.errors import BootimgError


def sbom_findings(build: Build) -> Iterator[Finding]:
    """Findings about the SBOM; a build whose record names no SBOM has none."""
    try:
        sbom = read_sbom(build.path)
    except BootimgError as error:
        yield finding(Rule.RECORD_UNREADABLE, RECORD, error, "the intent of the build is not known")
        return
    if sbom is None:
        return
    try:
        found = digest_of(build.path / sbom.path)
    except OSError as error:
        message = f"{RECORD} names it, and it cannot be read: {error.strerror}"
        yield finding(Rule.SBOM_GONE, "SBOM", sbom.path, message)
        return
    if found != sbom.sha256:
        yield finding(Rule.SBOM_DIGEST, "SBOM", f"sha256 {found}", f"{RECORD} says {sbom.sha256}")
