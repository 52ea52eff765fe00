"""Errors for bytes that are not a tar, and the parts of a header that are read with them."""

from __future__ import annotations

from bootimg.errors import BootimgError
from bootimg.layer.tar.entry import unsafe_path

_DIGITS = 18


def text_of(raw: bytes) -> str:
    """A path or a name; `layer-path-unsafe` unless it is UTF-8 without NUL bytes."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise unsafe_path(repr(raw[:200]), "is not UTF-8, which ostree needs") from None
    if "\0" in text:
        raise unsafe_path(text, "has a NUL byte in it")
    return text


def decimal(text: bytes) -> int:
    """A number of a pax record."""
    if not text.isdigit() or len(text) > _DIGITS:
        raise malformed_tar(f"{text[:40]!r} is not a number")
    return int(text)


def malformed_tar(what: str) -> BootimgError:
    """The error for bytes that are not a tar."""
    return BootimgError(
        "layer-tar-malformed",
        f"a layer of the image is not a well-formed tar: {what}",
        hint="make the image again, or copy it again from where it was made",
    )


def truncated() -> BootimgError:
    """The error for a tar or an archive that ends too early."""
    return BootimgError(
        "layer-truncated",
        "the image ends before all of it was read",
        hint="the download or copy was cut off: fetch it again",
    )
