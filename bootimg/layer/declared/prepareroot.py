"""What the layer's prepare-root.conf (ostree-prepare-root(1)) demands of the disk.

The initramfs reads most of it at each boot.  Only fs-verity has to be there from the beginning.
"""

from __future__ import annotations

from bootimg.layer.ostree.prepareroot import parse_prepare_root
from bootimg.layer.tree.merged import Tree

# The first that is there is the only one that ostree reads.
PATHS = (
    "etc/ostree/prepare-root.conf",
    "usr/etc/ostree/prepare-root.conf",
    "usr/lib/ostree/prepare-root.conf",
)
_VERITY = ("verity", "signed")


def unmet_demand(tree: Tree) -> tuple[str, str] | None:
    """The file and the setting in it that an XFS root cannot satisfy; None if there is no such setting.

    Errors: `prepare-root-malformed`.
    """
    for path in PATHS:
        if tree.exists(path):
            groups = parse_prepare_root(tree.read(path), path)
            value = groups.get("composefs", {}).get("enabled")
            return (path, f"composefs.enabled = {value}") if value in _VERITY else None
    return None
