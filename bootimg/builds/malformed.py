"""The errors for files of the builds tree, or of a bucket, that are not what they should be."""

from __future__ import annotations

from functools import partial
from typing import Any

from bootimg.errors import BootimgError
from bootimg.untrusted.jsonfile import parse_object


def malformed_meta(where: str, why: str) -> BootimgError:
    """`build-meta-malformed`: what is wrong with meta.json or builds.json at `where`."""
    return BootimgError(
        "build-meta-malformed",
        f"{where} {why}",
        hint="take the file from where the build was made, or remove the build's folder and build again",
    )


def unreadable_meta(where: str, why: str) -> BootimgError:
    """The same where the file, or a value in it, is not of the kind that it should be."""
    return malformed_meta(where, f"cannot be read: {why}")


def parse_meta(data: bytes, where: str) -> dict[str, Any]:
    """The object in the bytes of a meta.json or builds.json; `build-meta-malformed`."""
    return parse_object(data, partial(unreadable_meta, where)).values


def malformed_record(name: str, why: str) -> BootimgError:
    """`build-record-malformed`: what is wrong with the bootimg.json `name`."""
    return BootimgError(
        "build-record-malformed",
        f"{name} cannot be read: {why}",
        hint="bootimg writes it whole or not at all: get it again from where the build was made",
    )
