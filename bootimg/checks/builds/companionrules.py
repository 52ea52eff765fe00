"""Rules for the SBOM and the provenance beside a build's artifacts: each exists and matches bootimg.json."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.builds.companions import TITLES, Companion, companions
from bootimg.builds.find import Build, digest_of
from bootimg.builds.record import RECORD
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.errors import BootimgError
from bootimg.targets import PROVENANCE_KEY, SBOM_KEY

_GONE = {SBOM_KEY: Rule.SBOM_GONE, PROVENANCE_KEY: Rule.PROVENANCE_GONE}
_DIGEST = {SBOM_KEY: Rule.SBOM_DIGEST, PROVENANCE_KEY: Rule.PROVENANCE_DIGEST}


def companion_findings(build: Build) -> Iterator[Finding]:
    """Findings about both files; none about a file that the build's record does not name."""
    try:
        found = companions(build.path)
    except BootimgError as error:
        yield finding(Rule.RECORD_UNREADABLE, RECORD, error, "the intent of the build is not known")
        return
    for key, companion in found.items():
        yield from _file(build, key, companion)


def _file(build: Build, key: str, companion: Companion) -> Iterator[Finding]:
    try:
        found = digest_of(build.path / companion.path)
    except OSError as error:
        message = f"{RECORD} names it, and it cannot be read: {error.strerror}"
        yield finding(_GONE[key], TITLES[key], companion.path, message)
        return
    if found != companion.sha256:
        yield finding(_DIGEST[key], TITLES[key], f"sha256 {found}", f"{RECORD} says {companion.sha256}")
