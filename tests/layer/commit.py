"""A tree becomes an ostree commit and that an OCI directory: `python -m tests.layer.commit WORK OSTREE-EXT`.

WORK has tree.tar and asked.json (version, input_hash, labels, and chunks: the package of each path), and gets
oci/.  Runs as root of a mount namespace (see sandbox.py): the owners in the tree are the commit's.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bootimg import process
from tests.layer.chunks import UNPACKAGED
from tests.layer.recipe import SOURCE_DATE_EPOCH

REF = "stand-in/x86_64/coreos"


def main() -> None:
    """Make WORK/oci."""
    work, program = map(Path, sys.argv[1:3])
    asked = json.loads((work / "asked.json").read_text())
    root, repo = work / "root", work / "repo"
    try:
        unpack(work / "tree.tar", root)
        commit(root, repo, asked)
    finally:
        # Here, as outside the namespace its files may belong to ids that are not the user's.
        shutil.rmtree(root, ignore_errors=True)
    (work / "contentmeta.json").write_text(json.dumps(content_meta(repo, asked["chunks"])))
    labels = [f"--label={name}={value}" for name, value in sorted(asked["labels"].items())]
    process.run(
        [
            program, "container", "encapsulate", f"--repo={repo}", "--compression-fast",
            "--copymeta-opt=rpmostree.inputhash", f"--contentmeta={work / 'contentmeta.json'}", *labels,
            REF, f"oci:{work / 'oci'}",
        ]
    )  # fmt: skip


def unpack(archive: Path, root: Path) -> None:
    """Unpack the tree as a commit has it: what is below /etc in an image is below /usr/etc in a commit.

    Without user.* attributes: libostree before 2025.2 puts the label after them, and newer ones, which
    sort, then take the object for a damaged one.
    """
    root.mkdir()
    xattrs = (
        "--xattrs",
        "--xattrs-include=*",
        "--xattrs-exclude=user.*",
        "--numeric-owner",
        "--same-owner",
        "--preserve-permissions",
    )
    process.run(["tar", "--extract", *xattrs, f"--file={archive}", f"--directory={root}"])
    (root / "etc").rename(root / "usr/etc")
    archive.unlink()


def commit(root: Path, repo: Path, asked: Mapping[str, Any]) -> None:
    """Commit as rpm-ostree does: with the labels of the tree's own SELinux policy, as bootable."""
    process.run(["ostree", f"--repo={repo}", "init", "--mode=bare-user"])
    metadata = {"version": asked["version"], "rpmostree.inputhash": asked["input_hash"]}
    process.run(
        [
            "ostree", f"--repo={repo}", "commit", f"--branch={REF}", f"--tree=dir={root}", "--bootable",
            f"--selinux-policy={root}", f"--timestamp=@{SOURCE_DATE_EPOCH}", "--fsync=false",
            *(f"--add-metadata-string={name}={value}" for name, value in metadata.items()),
        ]
    )  # fmt: skip


def content_meta(repo: Path, chunks: Mapping[str, str]) -> dict[str, object]:
    """What `encapsulate --contentmeta` reads (ostree-ext's struct RawMeta): a chunk for each object.

    An object that several packages have goes to the first of its paths.
    """
    mapping: dict[str, str] = {}
    for checksum, path in _objects(repo):
        mapping.setdefault(checksum, chunks.get(path, UNPACKAGED))
    names = sorted(set(mapping.values()), key=lambda name: (name == UNPACKAGED, name))
    return {"version": 1, "layers": {name: name for name in names}, "mapping": mapping}


def _objects(repo: Path) -> Iterator[tuple[str, str]]:
    """Checksum and path, as in the image, of each file and link in the commit."""
    listed = process.run(["ostree", f"--repo={repo}", "ls", "--recursive", "--checksum", REF]).stdout.decode()
    for line in listed.splitlines():
        if not line.startswith("d"):
            # mode uid gid size checksum path [-> target]
            checksum, path = line.split(maxsplit=5)[4:6]
            yield checksum, _in_image(path.partition(" -> ")[0])


def _in_image(path: str) -> str:
    path = path.removeprefix("/")
    return path.removeprefix("usr/") if path.startswith("usr/etc/") else path


if __name__ == "__main__":
    main()
