"""What a build made, as rows and lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bootimg.sizes import format_size

if TYPE_CHECKING:
    from bootimg.orchestrator.request import Outcome

HEADER = ("FILE", "SIZE", "SHA256", "TIME")
RETRY = "the same command with --retry-failed makes only these"


def artifact_rows(outcome: Outcome) -> Iterator[tuple[str, str, str, str]]:
    """A row for each artifact, for the SBOM and for the provenance."""
    beside = [each for each in (outcome.sbom, outcome.provenance) if each is not None]
    for artifact in (*outcome.artifacts, *beside):
        took = "kept" if artifact.cached else f"{artifact.seconds:.1f} s"
        yield artifact.path.name, format_size(artifact.size), artifact.sha256[:16], took


def note_lines(outcome: Outcome) -> Iterator[str]:
    """What people have to know of artifacts."""
    return (f"note: {each.path.name}: {each.note}" for each in outcome.artifacts if each.note)
