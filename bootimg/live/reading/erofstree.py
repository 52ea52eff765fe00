"""Single files of an erofs, read by dump.erofs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bootimg import process
from bootimg.live.reading.packedtree import PackedTree

_HEADING = re.compile(r" *NID TYPE +FILENAME")
_LINE = re.compile(r" *\d+ +(\d+)  (.*)", re.DOTALL)
_SIZE = re.compile(r"Size: (\d+)  On-disk size: \d+  regular file")
_KINDS = {"1": "regular", "2": "directory", "7": "symlink"}


class ErofsTree(PackedTree):
    """An erofs."""

    __slots__ = ()

    def _entries(self, folder: str) -> dict[str, str]:
        lines = self._lines(["--ls", *self._of(folder)])
        if not any(_HEADING.fullmatch(line) for line in lines):
            raise self._unreadable(f"/{folder} cannot be listed")
        found = {}
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None or "/" in match[2]:
                raise self._unreadable(f"a line of its listing is {line!r:.80}")
            found[match[2]] = _KINDS.get(match[1], "other")
        return {name: kind for name, kind in found.items() if name not in (".", "..")}

    def _size(self, path: str) -> int:
        for line in self._lines(self._of(path)):
            if match := _SIZE.fullmatch(line):
                return int(match[1])
        raise self._unreadable(f"/{path} is no regular file")

    def _cat(self, path: str) -> Sequence[process.Argument]:
        return ("--cat", *self._of(path))

    def _is_failure(self, messages: bytes) -> bool:
        # It exits 0 all the same.
        return b"<E>" in messages

    def _of(self, path: str) -> Sequence[process.Argument]:
        return (f"--offset={self.offset}", f"--path=/{path}", self.path)
