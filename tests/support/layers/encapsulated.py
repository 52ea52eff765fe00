"""Small ostree-encapsulated images made by hand, object by object, so that each can be made wrong."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bootimg.layer.ostree.objects import (
    content_checksum,
    directory_metadata,
    directory_tree,
    file_header,
    xattrs_variant,
)
from tests.support.layers import oci

OBJECTS = "sysroot/ostree/repo/objects"
XATTRS = (("security.selinux", b"system_u:object_r:usr_t:s0\0"),)


@dataclass(frozen=True)
class File:
    """A regular file, or a symlink if there is a target."""

    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    target: str = ""
    xattrs: Sequence[tuple[str, bytes]] = XATTRS

    @property
    def checksum(self) -> str:
        mode = 0o120777 if self.target else 0o100000 | self.mode
        return content_checksum(file_header(self.uid, self.gid, mode, self.target, self.xattrs), [self.data])


Folder = Mapping[str, "File | Folder"]
"""Files and folders by name."""

SYSTEM: Folder = {
    "dev": {},
    "sysroot": {},
    "usr": {
        "bin": {"su": File(b"su", 0o4755), "sg": File(b"su", 0o4755), "link": File(target="su")},
        "etc": {"conf": File(b"conf"), "os-release": File(target="../usr/lib/os-release")},
        "lib": {
            "os-release": File(b'NAME="Stand-in"\nVERSION_ID="9.6"\n'),
            "modules": {oci.KERNEL: {"vmlinuz": File(b"kernel"), "initramfs.img": File(b"initramfs")}},
        },
        "share": {
            "coreos-assembler": {"image.json": File(b'{"size": 4}')},
            "empty": File(),
            "old": {"1": File(b"1"), "2": File(b"2", uid=7, gid=3_000_000)},
        },
    },
    "var": {},
}


@dataclass
class Commit:
    """A commit's objects: `metadata` by `<checksum>.<kind>`, `content` by checksum."""

    tree: Folder
    metadata: dict[str, bytes] = field(default_factory=dict)
    content: dict[str, File] = field(default_factory=dict)
    checksum: str = ""

    def __post_init__(self) -> None:
        root, meta = self._folder(self.tree)
        self.checksum = self.keep("commit", commit_object(root, meta))
        self.metadata = {f"{self.checksum}.commit": self.metadata[f"{self.checksum}.commit"], **self.metadata}

    def _folder(self, folder: Folder) -> tuple[str, str]:
        files = [(name, item.checksum) for name, item in sorted(folder.items()) if isinstance(item, File)]
        self.content.update({item.checksum: item for item in folder.values() if isinstance(item, File)})
        folders = [
            (name, *self._folder(item)) for name, item in sorted(folder.items()) if not isinstance(item, File)
        ]
        return (
            self.keep("dirtree", directory_tree(files, folders)),
            self.keep("dirmeta", directory_metadata(0, 0, 0o755, XATTRS)),
        )

    def keep(self, kind: str, data: bytes) -> str:
        """Add a metadata object; returns its checksum."""
        checksum = hashlib.sha256(data).hexdigest()
        self.metadata[f"{checksum}.{kind}"] = data
        return checksum

    def rooted(self, tree: str, meta: str) -> Commit:
        """A commit of the same objects with another root."""
        other = Commit({})
        commit = commit_object(tree, meta)
        other.content, other.checksum = self.content, hashlib.sha256(commit).hexdigest()
        found = {name: data for name, data in self.metadata.items() if not name.endswith(".commit")}
        other.metadata = {f"{other.checksum}.commit": commit, **found}
        return other

    def metadata_members(self) -> list[oci.Member]:
        """What the first layer has of metadata, the commit first."""
        return [
            oci.file(object_path(*name.split(".")), data, mtime=0) for name, data in self.metadata.items()
        ]

    def layers(self, count: int = 2) -> list[list[oci.Member]]:
        """The members of `count` layers; content objects are dealt out to all but the first."""
        layers: list[list[oci.Member]] = [self.metadata_members(), *([] for _ in range(count - 1))]
        for number, (checksum, file) in enumerate(sorted(self.content.items())):
            layers[1 + number % (count - 1) if count > 1 else 0] += content_members(checksum, file)
        return layers

    def labels(self, layers: Sequence[bytes], base: int | None = None) -> dict[str, str]:
        """The labels of an image whose first `base` layers are this commit's, all if it is not given."""
        final = hashlib.sha256(layers[(base or len(layers)) - 1]).hexdigest()
        return {**oci.LABELS, "ostree.commit": self.checksum, "ostree.final-diffid": f"sha256:{final}"}


def commit_object(root: str, meta: str) -> bytes:
    """A commit without metadata and parent: the variant `(a{sv}aya(say)sstayay)`."""
    subject = b"Stand-in\0"
    body = subject + b"\0"
    data = body.ljust(-(-len(body) // 8) * 8, b"\0") + struct.pack(">Q", 1_700_000_000)
    data += bytes.fromhex(root)
    return data + bytes.fromhex(meta) + bytes([len(data), len(body), len(subject), 0, 0, 0])


def object_path(checksum: str, kind: str) -> str:
    return f"{OBJECTS}/{checksum[:2]}/{checksum[2:]}.{kind}"


def content_members(checksum: str, file: File, inline: bool = False, old: bool = False) -> list[oci.Member]:
    """A content object with its xattrs: linked, held `inline`, or linked as version 0 (`old`) has it."""
    data = xattrs_variant(file.xattrs)
    digest = hashlib.sha256(data).hexdigest()
    path = object_path(checksum, "file.xattrs" if old else "file-xattrs-link")
    target = f"sysroot/ostree/repo/xattrs/{digest}" if old else object_path(digest, "file-xattrs")
    xattrs = [oci.file(path, data, mtime=0)]
    if not inline:
        xattrs = [oci.file(target, data, mtime=0), oci.hardlink(path, target, mtime=0)]
    owner = {"uid": file.uid, "gid": file.gid, "mtime": 0}
    place = object_path(checksum, "file")
    if file.target:
        return [*xattrs, oci.symlink(place, file.target, **owner)]
    return [*xattrs, oci.file(place, file.data, file.mode, **owner)]
