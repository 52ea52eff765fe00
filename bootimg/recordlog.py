"""Append-only files of JSON records, one a line, each durable before the next."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from bootimg.atomic import Opening, enough_space, open_own
from bootimg.filelock import lock
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.tree import Malformed

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordLog:
    """A file of records.  Every record has the texts `step` and `state`, and gets the time."""

    path: Path

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record and make it durable; several processes may do so side by side.

        Raises `no-space-left`.
        """
        with enough_space(self.path.parent), open_own(self.path, Opening.APPEND) as handle:
            lock(handle, self.path)
            _end_last_line(handle.fileno())
            _write(handle.fileno(), _line(record))
            os.fsync(handle.fileno())

    def records(self) -> list[Record]:
        """The records so far; a line that a crash cut short, or that is not a record, is left out."""
        if not self.path.exists():
            return []
        lines = map(_parsed, self.path.read_bytes().splitlines())
        return [each for each in lines if each is not None]

    @contextmanager
    def opened(self) -> Iterator[Appender]:
        """Keep the file open for many records.  The caller is the only process that writes it."""
        with enough_space(self.path.parent):
            handle = open_own(self.path, Opening.APPEND)
        with handle:
            with enough_space(self.path.parent):
                _end_last_line(handle.fileno())
            yield Appender(handle, self.path.parent)


class Appender:
    """Appends records from several threads; threads that wait for the disk share one `fsync`."""

    def __init__(self, handle: BinaryIO, folder: Path) -> None:
        self._handle, self._folder = handle, folder
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._written = self._durable = 0

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record; it is durable afterwards.  Raises `no-space-left`."""
        with enough_space(self._folder):
            with self._writing:
                _write(self._handle.fileno(), _line(record))
                self._written += 1
                mine = self._written
            with self._syncing:
                if self._durable < mine:
                    written = self._written
                    os.fsync(self._handle.fileno())
                    self._durable = written


def _line(record: Mapping[str, Any]) -> bytes:
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"time": time, **record}).encode() + b"\n"


def _write(file: int, line: bytes) -> None:
    """Append a whole line, or nothing: a part of it would spoil the next line too."""
    before = os.fstat(file).st_size
    try:
        # Not by the buffered handle: what a full disk does not take would stay in its buffer.
        while line:
            line = line[os.write(file, line) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, before)
        raise


def _end_last_line(file: int) -> None:
    """End a line that a crash cut short, so that it does not spoil the next one."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        _write(file, b"\n")


def _parsed(line: bytes) -> Record | None:
    try:
        record = parse_object(line)
        record.required("step", str)
        record.required("state", str)
    except Malformed:
        return None
    return record.values
