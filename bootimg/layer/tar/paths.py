"""Paths of a tree: joined, followed through symlinks, and walked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bootimg.layer.tar.entry import Entry, Kind
from bootimg.untrusted.budget import Budget

_MAX_LINKS = 40


def resolve(entries: Mapping[str, Entry], path: str, budget: Budget) -> str | None:
    """The real path of `path`, with symlinks followed as in a chroot; None if it does not exist."""
    todo = path.split("/")[::-1]
    budget.steps(len(todo), path)
    found, links = "", 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            found = found.rpartition("/")[0]
            continue
        here = entries.get(join(found, part))
        if here is None:
            return None
        if here.kind is Kind.SYMLINK:
            links += 1
            if links > _MAX_LINKS:
                return None
            if here.target.startswith("/"):
                found = ""
            steps = here.target.split("/")[::-1]
            budget.steps(len(steps), path)
            todo.extend(steps)
        else:
            if todo and here.kind is not Kind.DIRECTORY and any(part not in ("", ".") for part in todo):
                return None
            found = here.path
    return found


def join(folder: str, name: str) -> str:
    """A path in a directory of the tree, whose root is the empty path."""
    return f"{folder}/{name}" if folder else name


def walk(children: Mapping[str, Mapping[str, None]], path: str = "") -> Iterator[str]:
    """Every path below `path`, directories before their content, names in byte order."""
    todo = _inside(children, path)
    while todo:
        inner = todo.pop()
        yield inner
        if inner in children:
            todo += _inside(children, inner)


def _inside(children: Mapping[str, Mapping[str, None]], path: str) -> list[str]:
    """The paths in a directory, the first one last."""
    return [join(path, name) for name in sorted(children.get(path, ()), key=str.encode, reverse=True)]
