"""From a container's tree to the tree of an ostree commit.

The rules are those of ostree-rs-ext for plain images:

- /etc becomes /usr/etc.
- The mount points of API file systems stay, their content is dropped.
- Empty files that container builders inject are dropped.
- /var is kept unchanged (ostree ≥ 2024.3 fills a new stateroot's /var from it).
- /sysroot must be empty in a commit, or ostree refuses to deploy it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bootimg.errors import BootimgError
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.merge import is_emptied

_INJECTED = ("usr/etc/hostname", "usr/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class OstreeTree:
    """`entries` by path, with ``""`` for the root; `filtered` counts dropped files by top directory."""

    entries: Mapping[str, Entry]
    filtered: Mapping[str, int]


def to_ostree(entries: Iterable[Entry], root: Entry, *, whole: bool = True) -> OstreeTree:
    """Map a tree to ostree's layout; with `whole` false, only one layer of a tree."""
    found: dict[str, Entry] = {"": root}
    entries = list(entries)
    if whole and {"etc", "usr/etc"} <= {entry.path for entry in entries}:
        raise etc_twice()
    filtered: Counter[str] = Counter()
    for entry in entries:
        top = entry.path.partition("/")[0]
        if is_emptied(entry.path):
            filtered[top] += 1
            continue
        path = f"usr/{entry.path}" if top == "etc" else entry.path
        if path in _INJECTED and entry.kind is Kind.FILE and not entry.size:
            filtered[top] += 1
            continue
        found[path] = entry if path == entry.path else replace(entry, path=path)
    if "usr/etc" in found and "usr" not in found:
        found["usr"] = Entry("usr", Kind.DIRECTORY, 0o755, 0, 0)
    return OstreeTree(found, dict(filtered))


def etc_twice() -> BootimgError:
    """The error for a tree with both /etc and /usr/etc."""
    return BootimgError(
        "layer-etc-twice",
        "the image has both /etc and /usr/etc",
        note="an ostree commit keeps its configuration in /usr/etc; container images have it in /etc",
        hint="remove one where the layer is made",
    )


def label_path(path: str) -> str:
    """The path under which the SELinux policy lists a path of the commit."""
    if path == "usr/etc" or path.startswith("usr/etc/"):
        path = path.removeprefix("usr/")
    return "/" + path
