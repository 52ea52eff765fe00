"""The steps in the life of a cloud image."""

from __future__ import annotations

from enum import StrEnum


class Verb(StrEnum):
    """What the command line asks an uploader for."""

    UPLOAD = "upload"
    """Make the image in the cloud, in the primary region."""
    REPLICATE = "replicate"
    """Copy it to the other regions."""
    PUBLISH = "publish"
    """Make it public, and restore it if the cloud deprecated or disabled it."""
    SHARE = "share"
    """Grant it to other accounts."""
    DEPRECATE = "deprecate"
    """Mark it as deprecated."""
    RETIRE = "retire"
    """Delete it; the entries in meta.json stay."""
