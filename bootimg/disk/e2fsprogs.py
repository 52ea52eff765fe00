"""What all users of e2fsprogs share: a fixed clock, and e2fsck's judgement of a file system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg import process
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, read_limited

PACKAGE = "e2fsprogs"
_CHECKING = ProcessLimits(seconds=60, written=MIB)


def fixed_time(epoch: int) -> Mapping[str, str]:
    """The environment that gives e2fsprogs a clock: older versions know the first name only."""
    return {"E2FSPROGS_FAKE_TIME": str(epoch), "SOURCE_DATE_EPOCH": str(epoch)}


def e2fsck_errors(image: Path, budget: Budget | None = None) -> str | None:
    """What e2fsck prints about a file system that is not clean; None if it is clean.  Nothing is changed."""
    program = process.require("e2fsck", packages=PACKAGE)
    words: list[process.Argument] = [program, "-fn", image.name]
    try:
        done = read_limited(words, image.parent, _CHECKING, cwd=image.parent, budget=budget)
    except OverLimitError as error:
        return f"e2fsck cannot check it: {error}"
    return done.stdout.decode(errors="replace") if done.returncode else None
