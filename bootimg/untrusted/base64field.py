"""Bytes that stand in a document as base64 (RFC 4648, the standard alphabet)."""

from __future__ import annotations

import base64

from bootimg.untrusted.node import Fields


def read_base64(fields: Fields, key: str) -> bytes:
    """The bytes under a key that has to be there; anything but base64 is the file's error."""
    try:
        return base64.b64decode(fields.required(key, str), validate=True)
    except ValueError:
        raise fields.at(key).error("is not base64") from None
