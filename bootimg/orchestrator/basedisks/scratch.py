"""The scratch folder of a base disk: removed when the step ends, or kept for debugging."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg.atomic import scratch_folder
from bootimg.cache import BASES, Cache
from bootimg.events import Events
from bootimg.partialfiles import PARTIAL

KEPT = "kept-"


@contextmanager
def base_scratch(cache: Cache, events: Events, *, keep: bool) -> Iterator[Path]:
    """A folder on the file system of the base disks; with `keep` it stays and a message names it.

    `bootimg cache gc` removes it like everything that has not been used for a while.
    """
    bases = cache.folder(BASES)
    with scratch_folder(bases, PARTIAL) as folder:
        try:
            yield folder
        finally:
            if keep:
                kept = folder.rename(bases / f"{KEPT}{folder.name.removeprefix(PARTIAL)}")
                events.message(f"kept: {kept}, and the appliance's logs in {cache.root / 'logs'}")
