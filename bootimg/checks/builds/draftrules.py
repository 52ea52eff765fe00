"""A rule for what bootimg.json says of the artifacts: a draft is not for a release."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.builds.find import Build
from bootimg.builds.record import RECORD, read_record
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.errors import BootimgError


def draft_findings(build: Build) -> Iterator[Finding]:
    """Findings about the artifacts of a build; none if the record is not readable."""
    try:
        made = read_record(build.path).made
    except BootimgError:
        # `companion_findings` reports it.
        return
    for key in made:
        if made[key].draft and key in build.images:
            message = "build it again without --draft for a release"
            yield finding(Rule.DRAFT, f"{RECORD}, made, {key}", "draft", message)
