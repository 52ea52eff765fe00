"""Contents of files on their way to the disk: small ones are gathered, the kernel copies large ones."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from bootimg.disk.filetree import HostRange, Node
from bootimg.disk.xfs.errors import content_too_short
from bootimg.disk.xfs.layout import BLOCK
from bootimg.disk.xfs.partition import Partition

_SMALL = 128 << 10
_GATHERED = 2 << 20
_AT_ONCE = 16 << 20
"""Bytes that the kernel copies in one call: a signal is handled between two calls."""
_COPY_UNSUPPORTED = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class ContentWriter:
    """Writes contents to byte addresses that begin a block; the rest of the last block becomes zeros.

    `advance` is called with the bytes of content that were taken.
    """

    def __init__(self, partition: Partition, advance: Callable[[int], None]) -> None:
        self._partition = partition
        self._advance = advance
        self._start = 0
        self._buffer = bytearray()
        self._source: tuple[str | Path, int] | None = None
        self._copy_in_kernel = True

    def write(self, node: Node, offset: int, address: int, length: int) -> None:
        """Write `length` bytes of the node's content from `offset` on to `address`."""
        if isinstance(node.content, bytes):
            self._gather(address, node.content[offset : offset + length])
            self._advance(length)
        elif node.content is not None:
            self._copy(node, node.content, offset, address, length)

    def flush(self) -> None:
        """Write what waits."""
        if self._buffer:
            self._partition.write(self._start, self._buffer)
            self._buffer = bytearray()

    def close(self) -> None:
        """Close the file that content came from last."""
        source, self._source = self._source, None
        # Forgotten first: a signal may come behind the close, and the cleanup then closes again.
        if source:
            os.close(source[1])

    def _gather(self, address: int, data: bytes) -> None:
        if self._start + len(self._buffer) != address or len(self._buffer) >= _GATHERED:
            self.flush()
            self._start = address
        self._buffer += data
        self._buffer += bytes(-len(data) % BLOCK)

    def _copy(self, node: Node, source: HostRange, offset: int, address: int, length: int) -> None:
        fd = self._open(source.path)
        offset += source.offset
        if length > _SMALL:
            self._copy_large(node, fd, offset, address, length)
            return
        data = os.pread(fd, length, offset)
        if len(data) < length:
            raise content_too_short(node.path)
        self._gather(address, data)
        self._advance(length)

    def _open(self, path: str | Path) -> int:
        """The open file; the last one stays open because neighbours often lie in the same one."""
        if self._source and self._source[0] == path:
            return self._source[1]
        self.close()
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._source = (path, fd)
        return fd

    def _copy_large(self, node: Node, fd: int, offset: int, address: int, length: int) -> None:
        end = address + length
        while address < end:
            done = self._copy_some(fd, offset, address, min(end - address, _AT_ONCE))
            if not done:
                raise content_too_short(node.path)
            self._advance(done)
            offset += done
            address += done

    def _copy_some(self, fd: int, offset: int, address: int, length: int) -> int:
        """Copy a part in the kernel, with sendfile where the two file systems do not know each other."""
        place = self._partition.offset + address
        if self._copy_in_kernel:
            try:
                return os.copy_file_range(fd, self._partition.fd, length, offset, place)
            except OSError as error:
                if error.errno not in _COPY_UNSUPPORTED:
                    raise
                self._copy_in_kernel = False
        os.lseek(self._partition.fd, place, os.SEEK_SET)
        return os.sendfile(self._partition.fd, fd, offset, length)
