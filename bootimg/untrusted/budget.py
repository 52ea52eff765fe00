"""What reading one untrusted image or file has taken so far, and the refusal where it is too much.

There is one budget for an image, not one for each layer.  Every reader of its content gets it, and charges
what it holds or does before it holds or does it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from bootimg.errors import BootimgError
from bootimg.sizes import GIB, KIB
from bootimg.untrusted.limits import DEFAULT, Limit, Limits, shown, written

FREE = GIB
"""Bytes that an image may unpack to however small its compressed content is."""
HOLES_FREE, HOLES_RATIO = 8 * GIB, 4
"""Zeros of a disk that become holes cost time but no room: the same for them, and how much larger the
ratio may be."""
ATTRIBUTE = 64
"""What an extended attribute costs in memory beyond its name and its value, in bytes."""
UNFOLDED = 1024
"""What a name costs in memory, in bytes; that of a member is bounded by its header in the tar."""
IMPLIED = 8 * KIB
"""What a directory counts that is in no tar: each becomes objects of the repository, which take time."""
_CHECK_EVERY = 512


class Budget:
    """Counts of one image against its limits; most methods raise `image-over-budget`.

    `where` says what is read, for the error.
    """

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self._most = {limit: limits.of(limit) for limit in Limit}
        self.used = dict.fromkeys(Limit, 0)
        self._packed = self._holes = 0
        self._seconds = 0.0
        self._started: float | None = None
        self._unchecked = 0

    def again(self) -> Self:
        """A budget with the same limits of which nothing is used, to read the same content once more."""
        return type(self)(self.limits)

    def fork(self) -> Self:
        """A budget of which as much is used as of this one, for a step that may be repeated."""
        other = self.again()
        other.used = dict(self.used)
        other._packed, other._seconds = self._packed, self._seconds
        return other

    def layer(self, where: str) -> None:
        """Charge a layer."""
        self._charge(Limit.LAYERS, 1, where)

    def member(self, where: str) -> None:
        """Charge a member of an archive that has the image."""
        self._charge(Limit.MEMBERS, 1, where)
        self.tick(where)

    def name(self, text: int, where: str) -> None:
        """Charge a file, a directory or a link that is held, with so many bytes of text."""
        self._charge(Limit.NAMES, 1, where)
        self.hold(text, where)

    def unfold(self, text: int, where: str) -> None:
        """The same for one that a commit has once more: few bytes can make any number of these."""
        self.name(text + UNFOLDED, where)

    def imply(self, text: int, where: str) -> None:
        """The same for a directory that only a path implies; honest layers have few of these."""
        self.name(text + IMPLIED, where)

    def hold(self, text: int, where: str) -> None:
        """Charge bytes of text or of small documents that are held."""
        self._charge(Limit.METADATA, text, where)
        self.tick(where)

    def steps(self, count: int, where: str) -> None:
        """Charge names that are looked up one after the other."""
        self._charge(Limit.LINK_STEPS, count, where)
        self.tick(where, count)

    def pack(self, size: int, where: str) -> None:
        """Add the size of compressed content, which `ratio` refers to; each content once."""
        self._packed += size
        if self._packed > self._most[Limit.UNPACKED]:
            raise _over(Limit.UNPACKED, self._most[Limit.UNPACKED], where)

    def unpack(self, size: int, where: str) -> None:
        """Charge unpacked bytes."""
        self._charge(Limit.UNPACKED, size, where)
        if self.used[Limit.UNPACKED] > max(FREE, self._most[Limit.RATIO] * self._packed):
            raise _over(Limit.RATIO, self._most[Limit.RATIO], where)

    def hole(self, size: int, where: str) -> None:
        """Charge unpacked zeros that take no room."""
        self._holes += size
        if self._holes > max(HOLES_FREE, HOLES_RATIO * self._most[Limit.RATIO] * self._packed):
            raise _over(Limit.RATIO, HOLES_RATIO * self._most[Limit.RATIO], where)

    def tick(self, where: str, work: int = 1) -> None:
        """Look at the CPU time now and then."""
        self._unchecked += work
        if self._unchecked >= _CHECK_EVERY and self._started is not None:
            self._unchecked = 0
            if self._seconds + time.thread_time() - self._started > self._most[Limit.CPU]:
                raise _over(Limit.CPU, self._most[Limit.CPU], where)

    @property
    def left(self) -> int:
        """Whole seconds of CPU time that a program may still take for the image; at least one."""
        return max(1, int(self._most[Limit.CPU] - self._seconds))

    def spend(self, seconds: float, where: str) -> None:
        """Charge CPU time that a program took."""
        self._seconds += seconds
        if self._seconds > self._most[Limit.CPU]:
            raise _over(Limit.CPU, self._most[Limit.CPU], where)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the CPU time of this thread while the body runs."""
        if self._started is not None:
            yield
            return
        self._started = time.thread_time()
        try:
            yield
        finally:
            self._seconds += time.thread_time() - self._started
            self._started = None

    @property
    def seconds(self) -> float:
        """The CPU time that was counted, in seconds."""
        return self._seconds

    def _charge(self, limit: Limit, amount: int, where: str) -> None:
        used = self.used[limit] = self.used[limit] + amount
        if used > self._most[limit]:
            raise _over(limit, self._most[limit], where)


_BOUNDS = {
    Limit.LAYERS: "layers",
    Limit.MEMBERS: "files in its archive",
    Limit.UNPACKED: "of unpacked content",
    Limit.RATIO: "times the size of its compressed content",
    Limit.NAMES: "files, directories and links",
    Limit.METADATA: "of paths, attributes and documents",
    Limit.LINK_STEPS: "steps to follow its links and paths",
    Limit.CPU: "of CPU time to read it",
}
_WARNS = {
    Limit.UNPACKED: "it may be made to fill this machine's disk, or have a huge file of zeros",
    Limit.RATIO: "it may be made to fill this machine's disk, or have a huge file of zeros",
}


def _over(limit: Limit, most: int, where: str) -> BootimgError:
    raised = written(limit, max(1, most) * 4)
    return BootimgError(
        "image-over-budget",
        f"the image takes more than the limit `{limit}` allows: {shown(limit, most)} {_BOUNDS[limit]}",
        context=[f"met at {where[:200]}"],
        note=_WARNS.get(limit, "it may be made to exhaust this machine"),
        hint=f"if you trust it and it has to be so large, raise the limit: --limit {raised}",
    )
