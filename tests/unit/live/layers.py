"""Commits of a few files, as layers of live media."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg.sysroot.commit import Commit
from tests.support.ostreedeploy import commit, require


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
