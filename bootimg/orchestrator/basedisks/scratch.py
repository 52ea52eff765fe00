"""The scratch folder of a base disk: gone when the step ends, or kept for whoever hunts a fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg.atomic import PARTIAL, scratch_folder
from bootimg.cache import Cache
from bootimg.events import Events

KEPT = "kept-"


@contextmanager
def base_scratch(cache: Cache, events: Events, *, keep: bool) -> Iterator[Path]:
    """A folder on the file system of the base disks; `keep` says where it is when the body ends, however.

    `bootimg cache gc` removes it like all that has not been used for a while.
    """
    bases = cache.folder("bases")
    with scratch_folder(bases, PARTIAL) as folder:
        try:
            yield folder
        finally:
            if keep:
                kept = folder.rename(bases / f"{KEPT}{folder.name.removeprefix(PARTIAL)}")
                events.message(f"kept: {kept}, and the appliance's logs in {cache.root / 'logs'}")
