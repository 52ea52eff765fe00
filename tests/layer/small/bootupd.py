"""bootupd's files for a small layer, as packages and `bootupctl backend generate-update-metadata` leave them.

Its program does nothing.  What the static configuration says is bootimg's own, so the disk boots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from bootimg.disk.bootloaders.grub import esp_stub, grub_cfg
from tests.layer.tree import Tree, file_node, put

VERSION = "0.3.2"
_STATIC = "usr/lib/bootupd/grub2-static"
_STATUS = f"Package: bootupd\nStatus: install ok installed\nVersion: {VERSION}-1\nArchitecture: all\n\n"
_METADATA = {
    "timestamp": "2026-11-01T00:00:00Z",
    "version": "grub2-1,shim-1",
    "versions": [{"name": "grub2", "rpm_evr": "1"}, {"name": "shim", "rpm_evr": "1"}],
    "default-bootloader": None,
}


def bootupd_files() -> Mapping[str, str]:
    """The files by path, but for the programs."""
    before, _, after = grub_cfg().partition("blscfg\n")
    return {
        "usr/share/dpkg-db/status": _STATUS,
        "usr/lib/bootupd/updates/EFI.json": json.dumps(_METADATA, separators=(",", ":")),
        f"{_STATIC}/grub-static-pre.cfg": before,
        f"{_STATIC}/configs.d/10_blscfg.cfg": "blscfg\n",
        f"{_STATIC}/configs.d/41_custom.cfg": after,
        f"{_STATIC}/grub-static-efi.cfg": esp_stub(),
    }


def add_bootupd(tree: Tree) -> None:
    """Add the files and the programs; the tree has its EFI programs in usr/lib/efi."""
    for path, text in bootupd_files().items():
        put(tree, path, file_node(path, text.encode()))
    for program in ("usr/bin/bootupctl", "usr/bin/grub2-editenv"):
        put(tree, program, file_node(program, b"#!/bin/sh\n", mode=0o755))
