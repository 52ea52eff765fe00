"""Commits and trees of a few files, as layers of live media."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.live.template import PATH
from bootimg.sysroot.commit import Commit
from tests.support.layers import oci
from tests.support.layers.ostreedeploy import commit, require

TAIL = " ignition.firstboot ignition.platform.id=metal\n"
AREA = f"@@KERNEL-ARGS@@{TAIL}{'#' * 1023}# COREOS_KARG_EMBED_AREA\n"
GRUB, ISOLINUX = f"{PATH}/EFI/vendor/grub.cfg", f"{PATH}/isolinux/isolinux.cfg"
"""A boot menu's area for kernel arguments in a template, and the two menus that have it."""


def layer(folder: Path, files: Mapping[str, bytes | str]) -> Commit:
    """A commit with these files; a text is the target of a symlink."""
    require()
    tree = folder / "tree"
    (tree / "usr").mkdir(parents=True)
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            (tree / path).write_bytes(content)
        else:
            (tree / path).symlink_to(content)
    committed = commit(tree, folder / "repo")
    return Commit(committed.repo, committed.imported)


def layer_tree(folder: Path, files: Mapping[str, bytes | str]) -> Tree:
    """The tree of an image with these files; a text is the target of a symlink."""
    layout, cache = oci.Layout(folder / "image"), Cache(folder / "cache")
    members = [
        oci.file(path, content) if isinstance(content, bytes) else oci.symlink(path, content)
        for path, content in files.items()
    ]
    layout.add([oci.bootable(*members)])
    return open_tree(fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events()), cache, Events())
