"""What all users of e2fsprogs share: a fixed clock, and e2fsck's judgement of a file system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg import process

PACKAGE = "e2fsprogs"


def fixed_time(epoch: int) -> Mapping[str, str]:
    """The environment that gives e2fsprogs a clock: older versions know the first name only."""
    return {"E2FSPROGS_FAKE_TIME": str(epoch), "SOURCE_DATE_EPOCH": str(epoch)}


def e2fsck_errors(image: Path) -> str | None:
    """What e2fsck prints about a file system that is not clean; None if it is clean.  Nothing is changed."""
    program = process.require("e2fsck", packages=PACKAGE)
    done = process.run([program, "-fn", image.name], cwd=image.parent, check=False, timeout=300)
    return done.stdout.decode(errors="replace") if done.returncode else None
