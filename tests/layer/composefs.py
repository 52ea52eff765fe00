"""What the variant `composefs` changes in a converted tree: its root is mounted by composefs at boot.

    python -m tests.layer.composefs IN.tar OUT.tar

Runs as root of a mount namespace (see sandbox.py).  It is a step of its own, after convert.py, so that the
trees of the other variants stay as they are.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

from tests.layer.chroot import copy_over, run
from tests.layer.convert import make_initramfs
from tests.layer.recipe import HERE, SOURCE_DATE_EPOCH

ROOTFS = HERE / "rootfs-composefs"

_TAR = ("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--format=posix")
_REPRODUCIBLE = ("--sort=name", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime")


def main() -> None:
    """Change the tree of the first tar file into that of the second."""
    source, output = map(Path, sys.argv[1:3])
    root = Path(mkdtemp(prefix="tree.", dir=output.parent))
    try:
        run(*_TAR, "--extract", "--file", source, "--directory", root)
        change(root)
        epoch = (f"--mtime=@{SOURCE_DATE_EPOCH}", "--clamp-mtime")
        run(*_TAR, "--create", *_REPRODUCIBLE, *epoch, "--file", output, "--directory", root, ".")
    finally:
        run("rm", "--recursive", "--force", "--one-file-system", root)


def change(root: Path) -> None:
    """Lay our files over the tree, and make its initramfs again: it holds one of them."""
    copy_over(root, ROOTFS)
    [modules] = (root / "usr/lib/modules").iterdir()
    make_initramfs(root, modules.name)
    # dracut leaves logs and temporary folders; a commit has nothing there.
    for folder in (root / "var", root / "tmp", root / "run"):
        for left in folder.iterdir():
            shutil.rmtree(left)


if __name__ == "__main__":
    main()
