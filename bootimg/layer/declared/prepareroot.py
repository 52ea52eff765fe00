"""What the layer's prepare-root.conf (ostree-prepare-root(1)) demands of the disk.

The initramfs reads most of it at each boot.  Only fs-verity has to be there from the beginning.
"""

from __future__ import annotations

import configparser

from bootimg.layer.tree.merged import Tree

# The first that is there is the only one that ostree reads.
PATHS = (
    "etc/ostree/prepare-root.conf",
    "usr/etc/ostree/prepare-root.conf",
    "usr/lib/ostree/prepare-root.conf",
)
_VERITY = ("verity", "signed")


def unmet_demand(tree: Tree) -> tuple[str, str] | None:
    """The file and the setting that no disk of XFS can meet; None where there is none."""
    for path in PATHS:
        if tree.exists(path):
            value = _composefs(tree.read(path).decode(errors="replace"))
            return (path, f"composefs.enabled = {value}") if value in _VERITY else None
    return None


def _composefs(text: str) -> str:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error:
        return ""
    return parser.get("composefs", "enabled", fallback="")
