"""A disk of this machine that gets full while programs write to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg.atomic import free_space, no_space
from bootimg.errors import BootimgError
from bootimg.sizes import MIB

_SAID = "No space left on device"
_LITTLE = MIB


@contextmanager
def space_for_programs(folder: Path) -> Iterator[None]:
    """Turn a program's failure in the body into `no-space-left` if the disk with `folder` is full.

    mkfs.xfs, mtools and debugfs say so, mkfs.fat does not.  The space is looked at before the files that the
    program wrote are removed.
    """
    try:
        yield
    except BootimgError as error:
        if not any(_SAID in line for line in error.context) and free_space(folder) >= _LITTLE:
            raise
        raise no_space(folder, context=error.context) from error
