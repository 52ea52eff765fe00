"""Files of a tree as files of this machine, for programs that read them."""

from __future__ import annotations

import tarfile
from pathlib import Path

from tests.layer.tree import Tree


def write_files(tree: Tree, root: Path) -> None:
    """Write the folders and the files, without owners, modes and links."""
    for path, node in tree.items():
        if node.kind == tarfile.DIRTYPE:
            (root / path).mkdir(parents=True, exist_ok=True)
        elif node.kind == tarfile.REGTYPE:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(node.read())
