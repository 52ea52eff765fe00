"""What the disk of an artifact was written from: a base disk of the cache, and the platform's patch.

It is kept beside the base disk, by the digest of the uncompressed artifact.  So an upload can read the disk
without converting the artifact back.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path

from bootimg.atomic import write_whole
from bootimg.cache import BASES, Cache
from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.formats import Written
from bootimg.orchestrator.basedisk import BaseDisk, find_base


def keep_origin(base: BaseDisk, written: Written, patch: Patch, size: int) -> None:
    """Record that an artifact's disk, `size` bytes long, is the base disk with the patch."""
    if base.platform is not None:
        # The disk is a file of the build's scratch folder.
        return
    blocks = [[offset, base64.b64encode(data).decode()] for offset, data in patch.blocks]
    document = {"seal": base.digest, "size": size, "blocks": blocks}
    # A cache that is only read serves as well.
    with suppress(PermissionError):
        path = _path(base.path.parent, written.uncompressed_sha256 or written.sha256)
        write_whole(path, json.dumps(document).encode())


def find_origin(cache: Cache, sha256: str) -> Composite | None:
    """The disk of the artifact with this digest, if the cache still has its base disk unchanged."""
    for path in cache.place(BASES).glob(_path(Path("[!.]*"), sha256).as_posix()):
        document = json.loads(path.read_bytes())
        base = find_base(cache, path.parent.name)
        if base is not None and base.digest == document["seal"]:
            blocks = ((offset, base64.b64decode(data)) for offset, data in document["blocks"])
            return Composite(base.path, Patch(tuple(blocks)), document["size"])
    return None


def _path(folder: Path, sha256: str) -> Path:
    return folder / f"artifact-{sha256}.json"
