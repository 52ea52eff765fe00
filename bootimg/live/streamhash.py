"""The checksums by which a live initramfs checks a rootfs image while it downloads it.

Source: the format of `rdcore stream-hash`: a line with the digest and the chunk size, then the digest of each
chunk; the last chunk may be shorter, none is empty.
"""

from __future__ import annotations

import hashlib

from bootimg.sizes import MIB

CHUNK = 2 * MIB


class StreamHash:
    """Takes bytes in order."""

    def __init__(self) -> None:
        self._digests: list[str] = []
        self._current = hashlib.sha256()
        self._filled = 0

    def update(self, data: bytes) -> None:
        """Add bytes."""
        view = memoryview(data)
        while view:
            piece = view[: CHUNK - self._filled]
            self._current.update(piece)
            self._filled += len(piece)
            view = view[len(piece) :]
            if self._filled == CHUNK:
                self._close()

    def text(self) -> bytes:
        """The file, when all bytes were added."""
        if self._filled:
            self._close()
        return "".join(f"{line}\n" for line in (f"stream-hash sha256 {CHUNK}", *self._digests)).encode()

    def _close(self) -> None:
        self._digests.append(self._current.hexdigest())
        self._current, self._filled = hashlib.sha256(), 0
