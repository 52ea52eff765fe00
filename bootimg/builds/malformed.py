"""The error for a file of the builds tree, or of a bucket, that does not say what it should."""

from __future__ import annotations

from bootimg.errors import BootimgError


def malformed(where: str, why: str) -> BootimgError:
    """`build-meta-malformed`: what is wrong with meta.json or builds.json at `where`."""
    return BootimgError(
        "build-meta-malformed",
        f"{where} {why}",
        hint="take the file from where the build was made, or remove the build's folder and build again",
    )
