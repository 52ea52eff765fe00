"""Signatures at the end of boot files, as Linux's scripts/sign-file.c appends them.

A machine that verifies signatures gets them in a component of their own; they are never loaded with the file.
"""

from __future__ import annotations

import struct

_MAGIC = b"~Module signature appended~\n"
# Algorithm, hash, type, the lengths of signer and key id, padding, the length of the signature.
_INFO = struct.Struct(">8xI28s")


def unsigned_length(content: bytes) -> int:
    """The length of a file without the signature that it may end with."""
    if len(content) < _INFO.size:
        return len(content)
    length, magic = _INFO.unpack(content[-_INFO.size :])
    trailer = length + _INFO.size if magic == _MAGIC else 0
    return len(content) - trailer if trailer <= len(content) else len(content)
