"""A read-only file system image with a repository that holds only what one import needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bootimg import process
from bootimg.atomic import scratch_folder
from bootimg.layer.ostree.bareimage import bare_repository
from bootimg.layer.tar.squashfs import WHOLE_FILES, write_squashfs

PACKAGES = "squashfs-tools (apt, dnf)"
_TIMEOUT = 1800.0


class Commit(Protocol):
    """The parts of an `ImportedCommit` that matter here."""

    @property
    def refs(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def files(self) -> Mapping[str, int]: ...  # noqa: D102


def write_repo_image(repo: Path, commit: Commit, output: Path) -> None:
    """Write a squashfs image whose root is an ostree repository with the commit's objects and refs.

    From a bare-user repository the image has mode bare, which is the fastest to pull from; otherwise it has
    the repository's own mode.
    """
    if b"mode=bare-user" in (repo / "config").read_bytes():
        write_squashfs(bare_repository(repo, commit.files, commit.refs), output)
        return
    program = process.require("mksquashfs", packages=PACKAGES)
    # On the repository's own file system, because the objects are hardlinks.
    with scratch_folder(repo.parent, "repo-image-") as folder:
        link_repository(repo, commit, folder / "repo")
        partial = output.with_name(f".{output.name}.partial")
        partial.unlink(missing_ok=True)
        process.run([program, folder / "repo", partial, "-noappend", "-no-progress", "-quiet", "-all-root",
                     "-noI", "-noD", "-noF", "-noX", *WHOLE_FILES, "-no-exports",
                     "-all-time", "0", "-mkfs-time", "0"],
                    timeout=_TIMEOUT)  # fmt: skip
        partial.replace(output)


def link_repository(repo: Path, commit: Commit, target: Path) -> None:
    """A repository beside `repo` that shares the files of one import with it."""
    for name in ("objects", "refs/heads", "refs/remotes", "refs/mirrors", "state", "tmp", "extensions"):
        (target / name).mkdir(parents=True)
    shutil.copyfile(repo / "config", target / "config")
    for name in sorted({name[:2] for name in commit.files}):
        (target / "objects" / name).mkdir()
    for name in commit.files:
        os.link(repo / "objects" / name, target / "objects" / name)
    for ref, checksum in commit.refs.items():
        path = target / "refs" / "heads" / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(checksum + "\n")
