"""The ostree objects in the layers of an encapsulated image.

Format: ostree-rs-ext's tar export.  Objects are below `sysroot/ostree/repo/objects`.  A content object is
the file or symlink itself; the tar's header has its owner and mode.  Its xattrs come before it, in a
separate object: in version 1 `<checksum>.file-xattrs-link` is a hardlink to `<their sha256>.file-xattrs`,
or holds them; in version 0 `<checksum>.file.xattrs` is a hardlink to `repo/xattrs/<their sha256>`.
The other files in these layers are the tree as containers see it.  They are not read, because the commit
has the same tree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bootimg.errors import BootimgError
from bootimg.layer.image.encapsulation import invalid
from bootimg.layer.ostree.objects import parse_xattrs, xattrs_variant
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.opened import LayerTar
from bootimg.untrusted.budget import Budget

REPOSITORY = "sysroot/ostree/repo/"
MAX_METADATA, MAX_XATTRS = 10 << 20, 1 << 20
"""The most bytes of a metadata object (libostree's own limit) and of a file's xattrs."""
_OBJECT = re.compile(
    r"objects/([0-9a-f]{2})/([0-9a-f]{62})"
    r"\.(commit|commitmeta|dirtree|dirmeta|file|file-xattrs|file-xattrs-link|file\.xattrs)"
)
_XATTRS = re.compile(r"xattrs/([0-9a-f]{64})")
_MALFORMED = (ValueError, IndexError)
Xattrs = tuple[tuple[str, bytes], ...]


@dataclass(slots=True)
class LayerObjects:
    """One layer's objects: content by checksum, in the tar's order; metadata by `<checksum>.<kind>`.

    An entry of `content` has the object's owner, mode and xattrs, and no path.
    """

    content: dict[str, Entry] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)
    commit: str | None = None


def read_objects(
    layer: LayerTar, read: Callable[[Entry], bytes], budget: Budget, *, first: bool
) -> LayerObjects:
    """The objects of a layer; metadata objects are verified, content objects not yet.

    Only the first layer may have metadata, and its first object must be the commit.
    """
    reader = _Reader(read, budget, first=first)
    for entry in layer.entries:
        if entry.kind is not Kind.DIRECTORY and entry.path.startswith(REPOSITORY):
            reader.take(entry, entry.path.removeprefix(REPOSITORY))
    if reader.pending:
        raise invalid(f"it has xattrs for the object {reader.pending[0]} but not the object")
    if first and reader.found.commit is None:
        raise invalid("its first layer holds no commit")
    return reader.found


class _Reader:
    """Reads the members of one layer in their order."""

    def __init__(self, read: Callable[[Entry], bytes], budget: Budget, *, first: bool) -> None:
        self._read, self._budget, self._first = read, budget, first
        self._xattrs: dict[str, Xattrs] = {}
        self.pending: tuple[str, Xattrs] | None = None
        self.found = LayerObjects()

    def take(self, entry: Entry, path: str) -> None:
        if xattrs := _XATTRS.fullmatch(path):
            self._keep_xattrs(entry, xattrs[1])
        elif path.startswith("objects/"):
            match = _OBJECT.fullmatch(path)
            if match is None:
                raise invalid(f"{path[:120]!r} is not the name of an object")
            self._object(entry, match[1] + match[2], match[3])

    def _object(self, entry: Entry, checksum: str, kind: str) -> None:
        if kind == "file":
            self._content(entry, checksum)
        elif kind == "file-xattrs":
            self._keep_xattrs(entry, checksum)
        elif kind in ("file-xattrs-link", "file.xattrs"):
            self._link_xattrs(entry, checksum)
        else:
            self._metadata(entry, checksum, kind)

    def _keep_xattrs(self, entry: Entry, checksum: str) -> Xattrs:
        data = self._small(entry, checksum, MAX_XATTRS)
        self._xattrs[checksum] = _parse_xattrs(checked(data, checksum), checksum)
        return self._xattrs[checksum]

    def _link_xattrs(self, entry: Entry, checksum: str) -> None:
        if self.pending:
            raise invalid(f"it has xattrs for the object {self.pending[0]} but not the object")
        if entry.kind is Kind.HARDLINK:
            name = "".join(entry.target.removesuffix(".file-xattrs").split("/")[-2:])[-64:]
            if name not in self._xattrs:
                raise invalid(f"the xattrs of the object {checksum} are not before it")
            self.pending = checksum, self._xattrs[name]
        else:
            data = self._small(entry, checksum, MAX_XATTRS)
            self.pending = checksum, _parse_xattrs(data, checksum)

    def _content(self, entry: Entry, checksum: str) -> None:
        if self.pending is None or self.pending[0] != checksum:
            raise invalid(f"the xattrs of the object {checksum} are not before it")
        if entry.kind not in (Kind.FILE, Kind.SYMLINK):
            raise invalid(f"the object {checksum} is a {entry.kind}")
        if checksum in self.found.content:
            raise invalid(f"the object {checksum} is there twice in one layer")
        found = replace(entry, path="", mtime=0, xattrs=self.pending[1])
        # Each object that shares xattrs has them in its checksum.
        self._budget.hold(found.text, f"the object {checksum}")
        self.found.content[checksum] = found
        self.pending = None

    def _metadata(self, entry: Entry, checksum: str, kind: str) -> None:
        if not self._first:
            raise invalid(f"a layer other than the first holds the metadata object {checksum}.{kind}")
        if (kind == "commit") != (self.found.commit is None):
            raise invalid("its first layer does not hold one commit, before all other objects")
        if kind == "commit":
            self.found.commit = checksum
        elif kind == "commitmeta" and checksum != self.found.commit:
            raise invalid(f"it holds signatures of another commit, {checksum}")
        data = self._small(entry, checksum, MAX_METADATA)
        # Detached metadata (for example signatures) may change; no checksum covers it.
        self.found.metadata[f"{checksum}.{kind}"] = (
            data if kind == "commitmeta" else checked(data, checksum, f".{kind}")
        )

    def _small(self, entry: Entry, checksum: str, limit: int) -> bytes:
        if entry.kind is not Kind.FILE or entry.size > limit:
            raise invalid(f"the object {checksum} is a {entry.kind} of {entry.size} bytes")
        self._budget.hold(entry.size, f"the object {checksum}")
        return self._read(entry)


def checked(data: bytes, checksum: str, suffix: str = "") -> bytes:
    """The data, if it has this checksum."""
    found = hashlib.sha256(data).hexdigest()
    if found != checksum:
        raise mismatch(f"{checksum}{suffix}", found)
    return data


def _parse_xattrs(data: bytes, checksum: str) -> Xattrs:
    try:
        pairs = parse_xattrs(data)
        if xattrs_variant(pairs) != data:
            raise ValueError("not in normal form")
    except _MALFORMED as error:
        raise invalid(f"the xattrs of the object {checksum} are malformed ({error})") from None
    return pairs


def mismatch(name: str, found: str) -> BootimgError:
    """The error for an object whose content does not match its name."""
    return BootimgError(
        "layer-object-mismatch",
        f"an ostree object in the image does not match its name {name}",
        context=[f"its checksum is {found}"],
        hint="the image is damaged or made to do harm; nothing of it was written",
    )
