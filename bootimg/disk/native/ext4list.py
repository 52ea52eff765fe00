"""Directories of an ext4 as debugfs lists them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_COMMAND = re.compile(rb'debugfs: +ls -p "(.*)"$')


class Listed(NamedTuple):
    """A name's inode: `mode` with the type bits, and for a regular file its `size` in bytes."""

    mode: int
    uid: int
    gid: int
    inode: int
    size: int


def ls_command(path: bytes) -> bytes:
    """The command that lists a directory, given from the root without a leading slash."""
    return b'ls -p "/%s"' % path


def listed(output: bytes) -> Iterator[tuple[bytes, Listed]]:
    """What debugfs prints for these commands: paths without a leading slash, the directories' own too.

    A line is /inode/mode/uid/gid/name/size/.
    """
    here = b""
    for line in output.split(b"\n"):
        if found := _COMMAND.match(line):
            here = found[1].strip(b"/")
            continue
        fields = line.split(b"/")
        # An entry without a name is free space of the directory.
        if len(fields) != 8 or fields[0] or fields[5] in (b"", b".."):
            continue
        _, inode, mode, uid, gid, name, size, _ = fields
        path = here if name == b"." else b"/".join(filter(None, (here, name)))
        yield path, Listed(int(mode, 8), int(uid), int(gid), int(inode), int(size or 0))
