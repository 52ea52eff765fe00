"""The output of the formats' writers: a file that is hashed while it is written."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ParamSpec, Protocol, Self

from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.sizes import MIB

P = ParamSpec("P")
_PENDING = 8
_ZEROS = bytes(MIB)
_STRETCH = 256 * MIB
"""The number of zeros that are hashed at a time; between two such jobs the thread can be cancelled."""


@dataclass(frozen=True, slots=True)
class Written:
    """A finished artifact: its file, its size in bytes, its SHA-256 in hex.

    If it was compressed while it was written, the `uncompressed_` fields describe the input.
    """

    path: Path
    size: int
    sha256: str
    uncompressed_size: int | None = None
    uncompressed_sha256: str | None = None


class Sink(Protocol):
    """Receives a format's bytes in order; `skip` writes zeros without a buffer of them."""

    @property
    def position(self) -> int:
        """The number of bytes written."""

    def write(self, data: bytes) -> None:
        """Append `data`."""

    def skip(self, length: int) -> None:
        """Append `length` zeros, as a hole or compressed."""

    def digest(self) -> str:
        """The SHA-256, in hex, of all bytes so far."""


class Output(Sink, Protocol):
    """A sink that produces a file."""

    def finish(self, path: Path) -> Written:
        """Finish the file, whose final name is `path`, and describe it; no writes may follow."""


class Digest:
    """SHA-256 on its own thread (hashlib releases the GIL); a context manager."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "sha256")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)

    def update(self, data: bytes) -> None:
        """Add `data`, which must not change afterwards."""
        self._submit(self._digest.update, data)

    def zeros(self, length: int) -> None:
        """Add `length` zeros; the caller can continue at once."""
        for done in range(0, length, _STRETCH):
            self._submit(self._zeros, min(_STRETCH, length - done))

    def _zeros(self, length: int) -> None:
        whole, rest = divmod(length, MIB)
        for _ in range(whole):
            self._digest.update(_ZEROS)
        self._digest.update(_ZEROS[:rest])

    def _submit(self, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        while len(self._pending) >= _PENDING:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(work, *args, **kwargs))

    def hexdigest(self) -> str:
        """The digest of all bytes so far."""
        while self._pending:
            self._pending.popleft().result()
        return self._digest.hexdigest()


class DigestSink:
    """A sink that only hashes."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self.position = 0

    def write(self, data: bytes) -> None:
        """Add `data`."""
        self._digest.update(data)
        self.position += len(data)

    def skip(self, length: int) -> None:
        """Add zeros."""
        self._digest.zeros(length)
        self.position += length

    def digest(self) -> str:
        """The SHA-256 of all bytes so far."""
        return self._digest.hexdigest()


class DigestingFile:
    """A file that is written in order and hashed; skipped zeros become holes."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._digest = Digest()
        self.position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._digest.__exit__(kind, error, trace)

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._digest.update(data)
        self._handle.write(data)
        self.position += len(data)

    def skip(self, length: int) -> None:
        """Append zeros as a hole."""
        self._digest.zeros(length)
        self._handle.seek(length, 1)
        self.position += length

    def digest(self) -> str:
        """The SHA-256 of all bytes so far."""
        return self._digest.hexdigest()

    def finish(self, path: Path) -> Written:
        """Size and digest; a hole at the end becomes part of the file."""
        self._handle.truncate(self.position)
        return Written(path, self.position, self.digest())


class ReadingProgress:
    """Advances a step by the bytes read, and to its total at the end."""

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
        """Count the skipped bytes."""
        self.advance(self._left)


def data_length(source: Source) -> int:
    """The number of bytes of a source outside holes: the total of a writer's progress."""
    return sum(extent.length for extent in source.extents() if extent.data)


def refuse_options(
    disk_format: str, options: Mapping[str, str | bool], known: Mapping[str, Sequence[str | bool]]
) -> None:
    """Refuse options that a writer does not support: `format-option-unsupported`."""
    for name, value in options.items():
        if value not in known.get(name, ()):
            raise BootimgError(
                "format-option-unsupported",
                f"{disk_format} cannot be written with {name}={value}",
                hint="use only format options that the writer of the platform's format supports",
                exit_code=ExitCode.USAGE,
            )
