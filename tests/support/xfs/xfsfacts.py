"""What dissect.xfs finds, in the words of `ostreedeploy`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bootimg.sysroot.entries import Kind
from tests.support.layers.ostreedeploy import IMMUTABLE, Facts
from tests.support.xfs.xfsread import Found, read_back

_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.WHITEOUT,
}


def facts_of_xfs(image: Path) -> dict[str, Facts]:
    """Every name of an XFS in an image of its own."""
    inodes = [(each, [os.fsdecode(name) for name in each.names]) for each in read_back(image).values()]
    return {name: _facts(each, names) for each, names in inodes for name in names}


def _facts(found: Found, names: list[str]) -> Facts:
    kind = _KINDS[stat.S_IFMT(found.mode)]
    facts: Facts = {
        "kind": kind,
        "mode": stat.S_IMODE(found.mode),
        "mtime": found.mtime,
        "owner": (found.uid, found.gid),
        "xattrs": {os.fsdecode(key): value for key, value in found.xattrs},
        "flags": IMMUTABLE if found.immutable else 0,
    }
    match kind, found.content:
        case Kind.SYMLINK, bytes(target):
            facts["target"] = os.fsdecode(target)
        case Kind.FILE, (_, bytes(digest)):
            facts["content"] = digest.hex()
    if kind is not Kind.DIRECTORY:
        facts["links"] = names
    return facts
