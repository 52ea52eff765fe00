"""Single files of the root file system of a live system: what squashfs and erofs have in common.

The bytes are untrusted: a program reads them with limits, prints to a file of our own, and makes no file by a
name of theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.live.fsheader import unreadable
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import TEXT_LIMIT
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, run_limited

_LISTING_LIMIT = 64 * MIB
_LIMITS = ProcessLimits(memory=512 * MIB, seconds=30, deadline=120)


@dataclass(frozen=True, slots=True)
class PackedTree(ABC):
    """A file system that begins at byte `offset` of a file; it is an `Unmounted`.

    `program` reads it; `scratch` is a folder for what it prints.  All methods raise `live-rootfs-unreadable`
    and `image-over-budget`.
    """

    path: Path
    offset: int
    program: Path
    scratch: Path
    budget: Budget
    _listed: dict[str, dict[str, str]] = field(default_factory=dict)

    def listing(self, folder: str) -> dict[str, str]:
        """The names in a folder and their types; empty if one of the path's names is not a directory."""
        folder = folder.strip("/")
        if folder not in self._listed:
            parent, _, name = folder.rpartition("/")
            there = not folder or self.listing(parent).get(name) == "directory"
            self._listed[folder] = self._entries(folder) if there else {}
        return self._listed[folder]

    def content(self, path: str) -> bytes | None:
        """A regular file's content of at most TEXT_LIMIT bytes; None if its folder has none of that name."""
        with TemporaryDirectory(dir=self.scratch) as folder:
            target = Path(folder) / "content"
            return target.read_bytes() if self.copy(path, target, TEXT_LIMIT) else None

    def copy(self, path: str, target: Path, limit: int) -> bool:
        """Copy a regular file of at most `limit` bytes; False if its folder has none of that name."""
        path = path.strip("/")
        parent, _, name = path.rpartition("/")
        if self.listing(parent).get(name) != "regular":
            return False
        size = self._size(path)
        if size > limit:
            raise self._unreadable(f"/{path} has {size} bytes, more than {limit}")
        self._run(self._cat(path), target, limit)
        # dump.erofs exits 0 if a file cannot be read to its end.
        if (found := target.stat().st_size) != size:
            raise self._unreadable(f"/{path} has {size} bytes, but {found} can be read")
        return True

    @abstractmethod
    def _entries(self, folder: str) -> dict[str, str]:
        """The names in a directory and their types."""

    @abstractmethod
    def _size(self, path: str) -> int:
        """The size in bytes of a regular file."""

    @abstractmethod
    def _cat(self, path: str) -> Sequence[process.Argument]:
        """The program's arguments that print a regular file's content."""

    def _lines(self, words: Sequence[process.Argument]) -> Iterator[str]:
        """The lines that the program prints."""
        with TemporaryDirectory(dir=self.scratch) as folder:
            output = Path(folder) / "lines"
            self._run(words, output, _LISTING_LIMIT)
            text = output.read_bytes().decode(errors="replace")
        self.budget.hold(len(text), f"a listing of {self.program.name}")
        # Not splitlines(), which also splits names.
        for line in text.removesuffix("\n").split("\n") if text else ():
            self.budget.name(0, line[:200])
            yield line

    def _run(self, words: Sequence[process.Argument], output: Path, most: int) -> None:
        try:
            done = run_limited(
                [self.program, *words], output, replace(_LIMITS, written=most), budget=self.budget
            )
        except OverLimitError as error:
            raise self._unreadable(f"{self.program.name}: {error}") from None
        if done.returncode or self._is_failure(done.stderr):
            said = process.failure(done) if done.returncode < 0 else done.stderr.decode(errors="replace")
            raise self._unreadable(f"{self.program.name}: {str(said).strip()[:300] or 'failed'}")

    def _is_failure(self, messages: bytes) -> bool:
        """Whether a program that exited 0 says that it failed."""
        return False

    def _unreadable(self, what: str) -> BootimgError:
        return unreadable(self.offset, what)
