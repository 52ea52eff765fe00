"""What every writer of a format returns, and the digest it takes on the way."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step

_PENDING = 4


@dataclass(frozen=True, slots=True)
class Written:
    """A finished artifact: its file, its size in bytes, its SHA-256 in hex."""

    path: Path
    size: int
    sha256: str


class DigestingFile:
    """A file written in order, hashed beside it on a thread (hashlib lets go of the GIL)."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "sha256")
        self._pending: deque[Future[None]] = deque()
        self.position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._hash(data)
        self._handle.write(data)

    def skip(self, zeros: bytes) -> None:
        """Append zeros as a hole; the file must be truncated to `position` at the end."""
        self._hash(zeros)
        self._handle.seek(len(zeros), 1)

    def _hash(self, data: bytes) -> None:
        while len(self._pending) >= _PENDING:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._digest.update, data))
        self.position += len(data)

    def finish(self, path: Path) -> Written:
        """The digest and size of all that was written."""
        while self._pending:
            self._pending.popleft().result()
        return Written(path, self.position, self._digest.hexdigest())


class Progress:
    """Advances a step by what was read, and to its total at the end."""

    def __init__(self, step: Step | None, total: int) -> None:
        self._step = step
        self._left = total

    def advance(self, amount: int) -> None:
        """Count `amount` bytes of the source's data as done."""
        amount = min(amount, self._left)
        if self._step is not None and amount:
            self._left -= amount
            self._step.advance(amount)

    def finish(self) -> None:
        """Count what was skipped."""
        self.advance(self._left)


def data_length(source: Source) -> int:
    """Bytes of a source that are not in holes: the total of a writer's progress."""
    return sum(extent.length for extent in source.extents() if extent.data)


def refuse_options(
    disk_format: str, options: Mapping[str, str | bool], known: Mapping[str, Sequence[str | bool]]
) -> None:
    """Refuse what a writer cannot honour: `format-option-unsupported`."""
    for name, value in options.items():
        if value not in known.get(name, ()):
            raise BootimgError(
                "format-option-unsupported",
                f"{disk_format} cannot be written with {name}={value}",
                hint="the platform's format options must be ones its format's writer knows",
                exit_code=ExitCode.USAGE,
            )
