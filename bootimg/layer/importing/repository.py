"""An ostree repository as files.  The file system decides its mode, the worker writes it."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from bootimg.layer.ostree.checksums import LayerChecksums
from bootimg.layer.ostree.containertree import OstreeTree
from bootimg.layer.ostree.encapsulatedimage import content_header, content_mode
from bootimg.layer.ostree.libostree import Libostree
from bootimg.layer.ostree.objects import content_checksum, directory_metadata, directory_tree
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tree.merged import Tree

SELINUX = "security.selinux"
_DROPPED = (SELINUX, "trusted.overlay.")


def wanted_mode(folder: Path) -> str:
    """`bare-user` where the file system keeps user.* xattrs, else `archive`."""
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        try:
            os.setxattr(probe.name, "user.ostreemeta", b"probe")
        except OSError:
            return "archive"
    return "bare-user"


def open_repository(repo: Path, worker: Libostree) -> str:
    """Open the repository in the worker, which creates a missing one; returns its mode."""
    repo.parent.mkdir(parents=True, exist_ok=True)
    mode = None if (repo / "config").exists() else wanted_mode(repo.parent)
    return str(worker.call("open", os.fspath(repo), mode))


class ObjectWriter:
    """Writes the objects of trees that a repository lacks, and records which objects the trees need.

    `files` are the loose files below `objects`; `new` and `new_bytes` count what was written.
    """

    def __init__(
        self, repo: Path, mode: str, worker: Libostree, tree: Tree, checksums: Mapping[int, LayerChecksums]
    ) -> None:
        # A string: a Path for each of the many thousand objects would take longer than to look for it.
        self._objects = os.fspath(repo / "objects")
        self._suffix = ".filez" if mode == "archive" else ".file"
        self._worker = worker
        self._tree = tree
        self._checksums = checksums
        self.files: dict[str, int] = {}
        self.new = self.new_bytes = 0

    def write(self, tree: OstreeTree) -> tuple[str, str]:
        """Write a whole tree; returns the checksums of its root's dirtree and dirmeta."""
        # In the order of the tars, which are read from front to back.
        files = sorted((e for e in tree.entries.values() if e.kind is not Kind.DIRECTORY), key=_position)
        sums = {entry.path: self.write_file(entry) for entry in files}
        contents: dict[str, list[Entry]] = {}
        for path, entry in tree.entries.items():
            if path:
                contents.setdefault(entry.parent, []).append(entry)
        return self._directory(tree.entries[""], contents, sums)

    def write_set(self, checksums: Iterable[str]) -> tuple[str, str]:
        """Write the tree in which ostree-rs-ext keeps a layer's objects, each named by its checksum."""
        return (
            self._metadata("dirtree", directory_tree([(name, name) for name in sorted(checksums)], [])),
            self._metadata("dirmeta", directory_metadata(0, 0, 0o755, ())),
        )

    def write_metadata(self, name: str, data: bytes) -> None:
        """Write a metadata object.  `name` is `<checksum>.<kind>`; the checksum is not checked here."""
        checksum, _, kind = name.partition(".")
        # Detached metadata is named after its commit, so the same name may have other content.
        if self._lacks(checksum, f".{kind}", len(data)) or kind == "commitmeta":
            self._worker.send("metadata", kind, checksum, base64.b64encode(data).decode())

    def count_commit(self, checksum: str) -> None:
        """Count a commit that the worker has made and not yet moved into the repository."""
        self._lacks(checksum, ".commit", 0)

    def write_file(self, entry: Entry) -> str:
        """Write the content object of a file or symlink with its xattrs; returns its checksum."""
        header = content_header(entry, entry.xattrs)
        if entry.size:
            checksum = self._checksums[entry.layer].of(entry.offset, header, self._tree.chunks(entry))
        else:
            checksum = content_checksum(header)
        if self._lacks(checksum, self._suffix, entry.size):
            mode, target = content_mode(entry)
            encoded = [[name, base64.b64encode(value).decode()] for name, value in entry.xattrs]
            self._worker.send("file", checksum, entry.layer, entry.offset, entry.size, entry.uid, entry.gid,
                              mode, target, encoded)  # fmt: skip
        return checksum

    def _directory(
        self, entry: Entry, contents: Mapping[str, list[Entry]], sums: Mapping[str, str]
    ) -> tuple[str, str]:
        files, folders = [], []
        for inner in sorted(contents.get(entry.path, ()), key=lambda item: item.name):
            if inner.kind is Kind.DIRECTORY:
                folders.append((inner.name, *self._directory(inner, contents, sums)))
            else:
                files.append((inner.name, sums[inner.path]))
        return (
            self._metadata("dirtree", directory_tree(files, folders)),
            self._metadata("dirmeta", directory_metadata(entry.uid, entry.gid, entry.mode, entry.xattrs)),
        )

    def _metadata(self, kind: str, data: bytes) -> str:
        checksum = content_checksum(data)
        self.write_metadata(f"{checksum}.{kind}", data)
        return checksum

    def _lacks(self, checksum: str, suffix: str, size: int) -> bool:
        name = f"{checksum[:2]}/{checksum[2:]}{suffix}"
        if name in self.files:
            return False
        self.files[name] = size
        if os.path.exists(f"{self._objects}/{name}"):  # noqa: PTH110
            return False
        self.new += 1
        self.new_bytes += size
        return True


def labelled(xattrs: tuple[tuple[str, bytes], ...], label: str | None) -> list[tuple[str, bytes]]:
    """The xattrs of an object: the tar's, with the policy's label instead of the tar's label."""
    kept = [(name, value) for name, value in xattrs if not name.startswith(_DROPPED)]
    if label:
        kept.append((SELINUX, label.encode() + b"\0"))
    return sorted(kept)


def _position(entry: Entry) -> tuple[int, int]:
    return entry.layer, entry.offset


def is_loose(repo: Path, names: Mapping[str, int]) -> bool:
    """Whether the repository has all these loose files."""
    folders: dict[str, set[str]] = {}
    for name in names:
        folders.setdefault(name[:2], set()).add(name[3:])
    return all(found <= _names(repo / "objects" / folder) for folder, found in folders.items())


def _names(folder: Path) -> set[str]:
    # Listing a folder takes a tenth of the time that a lookup of each name takes.
    try:
        return set(os.listdir(folder))  # noqa: PTH208
    except FileNotFoundError:
        return set()


def ref_of(repo: Path, ref: str) -> str | None:
    """The commit a local ref points to."""
    path = repo / "refs" / "heads" / ref
    return path.read_text().strip() if path.is_file() else None
