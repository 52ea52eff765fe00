"""The live ISO's own files that say where its areas are, and the names and sizes of the areas' files."""

from __future__ import annotations

import json

from bootimg.live.iso.names import invalid_name, short_path

IGNITION_SIZE = 262144
"""Bytes of the area for the Ignition config."""
MINISO, MINISO_SIZE = "coreos/miniso.dat", 16384
"""The file that has what makes a minimal ISO out of the ISO, and its size in bytes."""
LARGEST_KARGS = 2048
"""The most bytes of an area for kernel arguments that coreos-installer takes."""
KARGS_END, KARGS_PAD = "\n", "#"
"""What ends kernel arguments, and what fills the rest of their area, unless the ISO says something else."""
NETWORK_FEATURE = "live-initrd-network"
"""The key of features.json for a live system that takes its network from the area for the Ignition config."""
FEATURES, KARGS, IGNINFO = "coreos/features.json", "coreos/kargs.json", "coreos/igninfo.json"


def igninfo(path: str, offset: int | None = None) -> bytes:
    """The content of igninfo.json for an area that is a file of its own, or is in a file from `offset` on."""
    require_own_short_name(path)
    place = {} if offset is None else {"length": IGNITION_SIZE, "offset": offset}
    return json.dumps({"file": path, **place}, indent=2).encode() + b"\n"


def check_kargs_info(content: bytes) -> None:
    """Refuse a kargs.json with a file that coreos-installer would not find: `iso-name-invalid`."""
    for each in json.loads(content)["files"]:
        require_own_short_name(each["path"])


def require_own_short_name(path: str) -> None:
    """Refuse a path that is not its own 8.3 name, for coreos-installer looks it up in upper case."""
    if short_path(path) != path.upper():
        raise invalid_name(path, "coreos-installer finds only names of up to 8 characters and 3 after a dot")
