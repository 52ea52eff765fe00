"""Single files of a squashfs, read by unsquashfs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from bootimg import process
from bootimg.live.reading.packedtree import PackedTree

# The queues are in MiB; they are 256 each by default.
_COMMON = ("-processors", "1", "-data-queue", "16", "-frag-queue", "16", "-no-wildcards", "-UTC")
# Mode, owners, size or device number, date, time, path; of a link also what it leads to.
_LINE = re.compile(r"(.)\S{9} \d+/\d+ +(\d+(?:, *\d+)?) \d+-\d\d-\d\d \d\d:\d\d (.*)", re.DOTALL)
_TOP = "top"
_KINDS = {"-": "regular", "d": "directory", "l": "symlink"}


class SquashfsTree(PackedTree):
    """A squashfs."""

    __slots__ = ()

    def _entries(self, folder: str) -> dict[str, str]:
        # The listing begins with the directories above.
        *above, own = accumulate([_TOP, *folder.split("/")] if folder else [_TOP], "{}/{}".format)
        found = {}
        for kind, _, path in self._listed_lines(folder, len(above) + 1):
            if path in (*above, own):
                continue
            name = path.removeprefix(f"{own}/")
            if name == path or "/" in name:
                raise self._unreadable(f"/{folder} has {path!r:.80}")
            found[name] = _KINDS.get(kind, "other")
        return found

    def _size(self, path: str) -> int:
        for kind, size, name in self._listed_lines(path, path.count("/") + 1):
            if name == f"{_TOP}/{path}" and kind == "-":
                return int(size)
        raise self._unreadable(f"/{path} is not listed")

    def _cat(self, path: str) -> Sequence[process.Argument]:
        return ("-cat", "-offset", str(self.offset), *_COMMON, self.path, path)

    def _listed_lines(self, path: str, depth: int) -> Iterator[tuple[str, str, str]]:
        """The type, the size and the path of each file; the directories above are among them."""
        words = ["-lln", "-dest", _TOP, "-max-depth", str(depth), "-offset", str(self.offset), *_COMMON]
        for line in self._lines([*words, self.path, *filter(None, [path])]):
            match = _LINE.fullmatch(line)
            if match is None:
                raise self._unreadable(f"a line of its listing is {line!r:.80}")
            kind, size, name = match.groups()
            yield kind, size, name.partition(" -> ")[0] if kind == "l" else name
