"""The request to retire builds, and what happened to each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.builds.bucket.tree import Bucket
from bootimg.cloud.lifecycle import Report
from bootimg.cloud.retry import BUDGET
from bootimg.errors import BootimgError
from bootimg.orchestrator.retiring.judging import Verdict
from bootimg.orchestrator.retiring.policyfile import Action
from bootimg.streams.pipeline.section import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireRequest:
    """Which builds are judged, by what, and whether anything is deleted.

    `ids` and `stream` leave all other builds alone; without `policy` the named builds are retired whatever
    their age.  `stream_files` and `barriers` name files that say what stays.  `config` has the settings of
    the clouds by stream, `overrides` those of the command line, `account` names a block in them.  With
    `platforms` or `arch` only a part of a build is deleted.  `bucket` has another builds.json to be marked.
    """

    builds: Path
    ids: tuple[str, ...] = ()
    policy: Path | None = None
    stream: str | None = None
    stream_files: tuple[Path, ...] = ()
    barriers: tuple[Path, ...] = ()
    config: Section | None = None
    account: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    arch: Arch | None = None
    bucket: Bucket | None = None
    delete: bool = False
    retry_for: float = BUDGET


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """What was deleted of a build or, in a dry run, would be.

    `error` is why nothing of it was tried; `marked` are the actions that builds.json records since then, and
    `left` says why others are not.
    """

    verdict: Verdict
    reports: Sequence[Report] = ()
    error: BootimgError | None = None
    marked: Sequence[Action] = ()
    left: str = ""
    dry_run: bool = False

    @property
    def whole(self) -> bool:
        """Whether all that was due is done or, in a dry run, would be."""
        if self.error is not None or any(each.failed for each in self.reports):
            return False
        return self.dry_run or set(self.marked) == set(self.verdict.actions)

    @property
    def state(self) -> str:
        """The state in words."""
        if not self.verdict.actions:
            return "kept"
        if self.error is not None:
            return "stopped"
        words = "would be retired" if self.dry_run else "retired"
        return words if self.whole else f"{words} in part"

    def as_dict(self) -> dict[str, Any]:
        """The result as `--json` prints it."""
        return {
            "id": self.verdict.id,
            "stream": self.verdict.stream or None,
            "state": self.state,
            "reason": self.verdict.reason or self.left or None,
            "actions": list(self.verdict.actions),
            "marked": list(self.marked),
            "error": self.error.as_dict() if self.error else None,
            "uploads": [each.as_dict() for each in self.reports],
        }
