"""Layers laid over each other: whiteouts, opaque directories, last writer wins, hardlinks.

The rules are those of the OCI image specification's "layer" page.  Where it leaves a choice, this module
follows containers/storage:

- a member whose parent is a symlink goes where the symlink leads, inside the tree and never above it;
- a directory over a symlink or file replaces it, and a directory over a directory keeps its content;
- a whiteout hides files of lower layers, never files of its own layer;
- device nodes and fifos are allowed only where ostree's layout drops everything.

The time is linear in what the layers hold and what the budget allows: no member makes what others did be
looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bootimg.errors import BootimgError
from bootimg.layer.tar.entry import Entry, Kind, check_length, refuse_special, unsafe_path
from bootimg.layer.tar.paths import join, resolve
from bootimg.untrusted.budget import Budget

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
EMPTIED = ("dev", "proc", "run", "sys", "sysroot", "tmp")
"""The directories whose content ostree's layout drops."""


def is_emptied(path: str) -> bool:
    """Whether a path is below a directory whose content is dropped."""
    top, slash, _ = path.partition("/")
    return bool(slash) and top in EMPTIED


def implied_directory(path: str) -> Entry:
    """A directory that a member's path implies but no layer describes."""
    return Entry(path, Kind.DIRECTORY, 0o755, 0, 0)


class Merged:
    """The tree of all layers applied so far; the root is the path ``""``.

    The budget is charged for what the tree has beyond the layers' entries: directories that paths imply, and
    paths that are longer than a member's because they go through a symlink.
    """

    def __init__(self, budget: Budget) -> None:
        self.entries: dict[str, Entry] = {"": implied_directory("")}
        self.children: dict[str, dict[str, None]] = {"": {}}
        self._budget = budget
        self._fresh: set[str] = set()
        self._cleared: set[str] = set()
        self._located: dict[str, str] = {}

    def apply(self, layer: Iterable[Entry]) -> list[Entry]:
        """Lay one more layer over the tree; returns its entries, whiteouts too, with their final paths."""
        self._fresh, self._cleared = set(), set()
        return [self._whiteout(e) if e.name.startswith(WHITEOUT) else self._put(e) for e in layer]

    def lay(self, entries: Iterable[Entry]) -> None:
        """Put entries into the tree unchanged; whiteouts become files."""
        for entry in entries:
            self._put(entry)

    def _whiteout(self, entry: Entry) -> Entry:
        name = entry.name.removeprefix(WHITEOUT)
        if name in ("", ".", ".."):
            raise unsafe_path(entry.path, "is a whiteout of nothing")
        refuse_special(entry)
        folder = self.locate(entry.parent)
        if folder is None:
            return entry
        if entry.name == OPAQUE:
            self._hide_children(folder)
        elif join(folder, name) in self.entries:
            self._hide(join(folder, name))
        return replace(entry, path=join(folder, entry.name))

    def _hide(self, path: str) -> None:
        self._hide_children(path)
        # A directory that this layer made, or put something into, must stay.
        if path not in self._fresh and not self.children.get(path):
            self._forget(path)

    def _hide_children(self, path: str) -> None:
        # What is there after the first time is of this layer.
        if path in self._cleared or path not in self.children:
            return
        self._cleared.add(path)
        for name in tuple(self.children[path]):
            self._hide(join(path, name))

    def _put(self, entry: Entry) -> Entry:
        folder = self._make_parents(entry.parent) if entry.path else ""
        path = join(folder, entry.name) if entry.path else ""
        if entry.kind is Kind.HARDLINK:
            entry = self._linked(entry, path)
        if entry.path != path:
            self._budget.hold(len(path), path)
            entry = replace(entry, path=path)
        if not is_emptied(path):
            refuse_special(entry)
        old = self.entries.get(path)
        if old and not (old.kind is entry.kind is Kind.DIRECTORY):
            self._remove(path)
        self._set(entry)
        return entry

    def _set(self, entry: Entry) -> None:
        check_length(entry.path)
        self.entries[entry.path] = entry
        self._fresh.add(entry.path)
        if entry.path:
            self.children[entry.parent][entry.name] = None
        if entry.kind is Kind.DIRECTORY:
            self.children.setdefault(entry.path, {})

    def _linked(self, link: Entry, path: str) -> Entry:
        folder = self.locate(link.target.rpartition("/")[0])
        target = (
            self.entries.get(join(folder, link.target.rpartition("/")[2])) if folder is not None else None
        )
        if target is None or target.kind is Kind.DIRECTORY:
            raise BootimgError(
                "layer-link-unsafe",
                f"{link.path[:200]} is a hardlink to {link.target[:200]}, which is not a file of the tree",
                hint="the image is damaged or made to do harm; nothing of it was written",
            )
        # Each name of a file has the attributes once more wherever the tree is written.
        self._budget.hold(target.text, path)
        return replace(target, path=path)

    def _remove(self, path: str) -> None:
        for name in tuple(self.children.get(path, ())):
            self._remove(join(path, name))
        self._forget(path)

    def _forget(self, path: str) -> None:
        entry = self.entries.pop(path)
        if entry.kind in (Kind.DIRECTORY, Kind.SYMLINK):
            self._located.clear()
        self.children.pop(path, None)
        self._fresh.discard(path)
        self.children[entry.parent].pop(entry.name, None)

    def _make_parents(self, path: str) -> str:
        if (known := self._known(path)) is not None:
            return known
        parts = path.split("/")
        self._budget.steps(len(parts), path)
        made = ""
        for part in parts:
            step = join(made, part)
            found = self._folder(step)
            if found is None:
                raise unsafe_path(path, "goes through something that is not a directory")
            made = found
        return self._keep(path, made)

    def _folder(self, path: str) -> str | None:
        """The directory at a path whose parent is one, made if nothing is there; None if it is not one."""
        here = self.entries.get(path)
        if here is None:
            self._budget.imply(len(path), path)
            self._set(implied_directory(path))
        return self.locate(path) if here and here.kind is Kind.SYMLINK else self._known(path)

    def locate(self, path: str) -> str | None:
        """The directory that `path` leads to inside the tree, symlinks followed; None if it is not one."""
        if (known := self._known(path)) is not None:
            return known
        found = resolve(self.entries, path, self._budget)
        return self._keep(path, found) if found is not None and found in self.children else None

    def _known(self, path: str) -> str | None:
        return path if path in self.children else self._located.get(path)

    def _keep(self, path: str, found: str) -> str:
        if path != found:
            self._budget.hold(len(path), path)
            self._located[path] = found
        return found
