"""The packages of a tree, from the first database that it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg.errors import BootimgError
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.rpmdb import sqlitedb
from bootimg.rpmdb.dpkg import STATUS_LIMIT, read_status
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.sqlitedb import OTHERS, other_kind, read_sqlite, unreadable

# In the order of `oc adm release info --rpmdb`: a directory counts, a symlink to one does not.
_RPM = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
# A system without content in /var keeps dpkg's database in /usr/share/dpkg-db.
_DPKG = ("var/lib/dpkg", "usr/share/dpkg-db")


def read_packages(tree: Tree, folder: Path) -> list[Package] | None:
    """The packages by name, including RPM's signing keys; None if the tree has no package database.

    `folder` is for a temporary copy.  Errors: `rpmdb-unreadable`.
    """
    if place := _place(tree, _RPM, (sqlitedb.NAME,)):
        found = read_sqlite(tree, place, folder)
    elif place := _place(tree, _DPKG, ("status",)):
        found = _dpkg(tree, f"{place}/status")
    elif place := _place(tree, _RPM, tuple(OTHERS)):
        name = next(name for name in OTHERS if tree.exists(f"{place}/{name}"))
        raise other_kind(f"{place}/{name}", name)
    else:
        return None
    return sorted(found, key=lambda each: each.nevra)


def _place(tree: Tree, folders: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of the folders that is not a symlink and has a file of one of these names."""
    real = [path for path in folders if path in tree.entries and tree.entries[path].kind is Kind.DIRECTORY]
    return next((path for path in real if any(tree.exists(f"{path}/{name}") for name in names)), None)


def _dpkg(tree: Tree, path: str) -> list[Package]:
    try:
        return read_status(tree.read(path, STATUS_LIMIT).decode(errors="replace"))
    except ValueError as error:
        raise unreadable(f"/{path}: {error}") from error
    except BootimgError as error:
        # It is a directory, or a file that is too large.
        raise unreadable(error.message) from error
