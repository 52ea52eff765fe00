"""ostree checksums of a layer's files, kept from one import to the next.

A file's checksum depends on its content and its header (owner, mode, xattrs and label).
`checksums/<diff_id>.json` maps a file's offset in the layer's tar and its header's hash to the checksum, so
a layer that did not change is not read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from bootimg.cache import Cache
from bootimg.layer.image.blobs import replacing
from bootimg.layer.image.fetched import hex_of
from bootimg.layer.ostree.objects import content_checksum


class LayerChecksums:
    """The known checksums of one layer."""

    def __init__(self, diff_id: str, cache: Cache) -> None:
        self._path = cache.folder("checksums") / f"{hex_of(diff_id)}.json"
        self._known: dict[str, str] = {}
        if self._path.exists():
            self._known = json.loads(self._path.read_bytes())
        self._changed = False

    def of(self, offset: int, header: bytes, content: Iterable[bytes]) -> str:
        """The checksum of the file at `offset`; its content is read only if the checksum is not known."""
        # One file can have two headers: hardlinks in places with different labels.
        key = f"{offset}:{hashlib.sha256(header).hexdigest()[:32]}"
        if key not in self._known:
            self._known[key] = content_checksum(header, content)
            self._changed = True
        return self._known[key]

    def save(self) -> None:
        """Store the new checksums in the cache."""
        if self._changed:
            with replacing(self._path) as output:
                output.write(json.dumps(self._known, separators=(",", ":")).encode())
