"""The packages in RPM's sqlite database.  Neither rpm nor a program of the tree is run.

The database is untrusted, so sqlite reads a copy in a process with limits.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.errors import BootimgError
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.rpmdb.package import Package
from bootimg.sizes import MIB
from bootimg.untrusted.limited import ProcessLimits
from bootimg.untrusted.worker import ask_worker

NAME = "rpmdb.sqlite"
OTHERS = {"Packages": "Berkeley DB, as in RHEL 8", "Packages.db": "ndb, as in SUSE"}
"""The files of RPM's other databases."""
LIMIT = 1 << 30
"""The most bytes of the database, and of its write-ahead log."""
_READER = "bootimg.rpmdb.sqlitereader"
_LIMITS = ProcessLimits(memory=512 * MIB, seconds=20, written=64 * MIB)
"""Some thousand packages take 0.2 s and 100 MiB."""


def read_sqlite(tree: Tree, place: str, folder: Path) -> list[Package]:
    """The packages of the database in the directory `place`, in no fixed order.

    `folder` is for a temporary copy.  Errors: `rpmdb-unreadable`.
    """
    with TemporaryDirectory(prefix="rpmdb-", dir=folder) as copy:
        for name in (NAME, f"{NAME}-wal"):
            _copy(tree, f"{place}/{name}", Path(copy) / name)
        return packages_in(Path(copy) / NAME)


def packages_in(database: Path) -> list[Package]:
    """The packages of a database file, in whose folder sqlite may write; `rpmdb-unreadable`."""
    rows = ask_worker(
        _READER, str(database.absolute()), scratch=database.parent, limits=_LIMITS, refuse=unreadable
    )
    return [Package(*row) for row in rows]


def _copy(tree: Tree, path: str, target: Path) -> None:
    found = tree.resolve(path)
    entry = tree.entries.get(found) if found else None
    if entry is None and target.suffix != ".sqlite":
        return
    if entry is None or entry.kind is not Kind.FILE or entry.size > LIMIT:
        raise unreadable(f"/{path} is not a file of at most a gigabyte")
    with target.open("wb") as handle:
        for chunk in tree.chunks(entry):
            handle.write(chunk)


def unreadable(why: str, hint: str = "the image is damaged: make it again") -> BootimgError:
    """The error for a package database that exists but cannot be read."""
    return BootimgError("rpmdb-unreadable", f"the image's package database cannot be read: {why}", hint=hint)


def other_kind(path: str, name: str) -> BootimgError:
    """The error for a database of an unsupported kind; `name` is one of `OTHERS`."""
    return unreadable(
        f"/{path} is of another kind ({OTHERS[name]}), but only {NAME} is read",
        "convert it where the image is made: run `rpmdb --rebuilddb` of an rpm whose %_db_backend is sqlite",
    )
