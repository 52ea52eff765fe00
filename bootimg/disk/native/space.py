"""A disk of this machine that gets full while programs write to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg.atomic import enough_space, no_space
from bootimg.errors import BootimgError

_SAID = "No space left on device"


@contextmanager
def enough_space_for_programs(folder: Path) -> Iterator[None]:
    """Like `enough_space`, also where a program's messages in the error's context say it.

    mkfs, mtools and debugfs write to files of this machine.  A full file system inside such a file has other
    messages.
    """
    with enough_space(folder):
        try:
            yield
        except BootimgError as error:
            if not any(_SAID in line for line in error.context):
                raise
            raise no_space(folder) from error
