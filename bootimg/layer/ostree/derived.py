"""Layers derived from an encapsulated image.  ostree-rs-ext 0.15 makes a commit of each, by these rules:

- /etc becomes /usr/etc.  The content of the mount points of API file systems is dropped.  /var is kept, as
  by libostree 2024.3 and newer.  All else outside /usr is dropped unless the base's root is an overlay.
- Symlinks are not followed: if the base has a symlink `lib` and the layer has `lib/x`, then `lib` becomes
  a directory.
- Directories that a path implies get the owner of the file that implies them, and mode 0755.
- Device nodes and fifos are allowed only in directories that are dropped; libostree refuses them elsewhere.
- A file that a container tool changed within /sysroot/ostree/repo is a hardlink to the real file.  It is
  moved to the first of its other names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bootimg.errors import BootimgError
from bootimg.layer.ostree.containertree import OstreeTree
from bootimg.layer.ostree.layerobjects import REPOSITORY
from bootimg.layer.ostree.prepareroot import parse_prepare_root
from bootimg.layer.tar.entry import Entry, Kind, refuse_special, unsafe_path
from bootimg.untrusted.budget import Budget

PREPARE_ROOT = "usr/lib/ostree/prepare-root.conf"
_API = ("run", "tmp", "proc", "sys", "dev")


def takes_all(prepare_root: bytes) -> bool:
    """Whether files outside /usr are kept, by ostree's prepare-root.conf in the base."""
    groups = parse_prepare_root(prepare_root, PREPARE_ROOT)
    composefs = groups.get("composefs", {}).get("enabled", "no")
    transient = groups.get("root", {}).get("transient", "false")
    return composefs in ("yes", "true", "1", "maybe", "signed", "verity") or transient in ("true", "1")


def derived_tree(entries: Iterable[Entry], budget: Budget, *, everything: bool) -> OstreeTree:
    """The tree of one derived layer; whiteouts stay in it as files.

    With `everything`, files outside /usr are kept.  `filtered` counts dropped files by the first name below
    the directory that was dropped.
    """
    builder = _Builder(budget)
    filtered: Counter[str] = Counter()
    for entry in _without_repository(entries):
        path, dropped = _place(entry.path, everything=everything)
        if dropped:
            filtered[dropped] += 1
        else:
            builder.add(replace(entry, path=path, target=_target(entry)))
    return OstreeTree(builder.finish(), dict(filtered))


def _place(path: str, *, everything: bool) -> tuple[str, str]:
    """The path in the commit, and the name under which the file counts as dropped (empty if it is kept)."""
    top, _, rest = path.partition("/")
    if top in _API:
        return path, rest.partition("/")[0]
    if top == "etc":
        return f"usr/{path}", ""
    return path, "" if everything or top in ("", "usr", "var") else top


def _target(entry: Entry) -> str:
    if entry.kind is Kind.HARDLINK:
        return _place(entry.target, everything=True)[0]
    return entry.target


def _without_repository(entries: Iterable[Entry]) -> Iterable[Entry]:
    changed: dict[str, Entry] = {}
    moved: dict[str, str] = {}
    for entry in entries:
        inside = entry.path.startswith(REPOSITORY)
        if inside and entry.mtime and entry.kind is Kind.FILE:
            changed[entry.path] = entry
        elif inside or not _links_inside(entry):
            yield entry
        elif entry.target in moved:
            yield replace(entry, target=moved[entry.target])
        elif entry.target in changed:
            moved[entry.target] = entry.path
            yield replace(changed[entry.target], path=entry.path)


def _links_inside(entry: Entry) -> bool:
    return entry.kind is Kind.HARDLINK and bool(entry.mtime) and entry.target.startswith(REPOSITORY)


class _Builder:
    """Makes a tree member by member, as libostree does from an archive."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._entries: dict[str, Entry] = {}
        self._links: dict[str, Entry] = {}

    def add(self, entry: Entry) -> None:
        refuse_special(entry)
        self._make_parents(entry)
        old = self._entries.get(entry.path)
        if old and (old.kind is Kind.DIRECTORY) != (entry.kind is Kind.DIRECTORY):
            raise unsafe_path(entry.path, "is both a directory and another type of file in one layer")
        self._links.pop(entry.path, None)
        if entry.kind is Kind.HARDLINK:
            self._links[entry.path] = entry
        self._entries[entry.path] = entry

    def _make_parents(self, entry: Entry) -> None:
        if not entry.path:
            return
        # What is a directory once stays one, and so do those above it.
        above = self._entries.get(entry.parent)
        if above is not None and above.kind is Kind.DIRECTORY:
            return
        self._budget.steps(entry.path.count("/") + 1, entry.path)
        parents = [""]
        for part in entry.path.split("/")[:-1]:
            parents.append(f"{parents[-1]}/{part}" if parents[-1] else part)
        if any(path in self._entries and self._entries[path].kind is not Kind.DIRECTORY for path in parents):
            raise unsafe_path(entry.path, "goes through something that is not a directory")
        if parents[-1] in self._entries or len(parents) == 1:
            return
        # libostree replaces all parents, also those that an earlier member described.
        for path in parents:
            if path not in self._entries:
                self._budget.imply(len(path), path)
            self._entries[path] = Entry(path, Kind.DIRECTORY, 0o755, entry.uid, entry.gid)

    def finish(self) -> Mapping[str, Entry]:
        self._entries.setdefault("", Entry("", Kind.DIRECTORY, 0o755, 0, 0))
        for path, link in self._links.items():
            target = self._linked(link)
            self._budget.hold(target.text, path)
            self._entries[path] = replace(target, path=path)
        return self._entries

    def _linked(self, link: Entry) -> Entry:
        seen = set()
        target: Entry | None = link
        while target is not None and target.kind is Kind.HARDLINK and target.path not in seen:
            seen.add(target.path)
            target = self._entries.get(target.target)
        if target is None or target.kind not in (Kind.FILE, Kind.SYMLINK):
            raise BootimgError(
                "layer-link-unsafe",
                f"{link.path[:200]} is a hardlink to {link.target[:200]}, which is not a file of its layer",
                hint="a derived layer must hold every file it links to: make it again with a current tool",
            )
        return target
