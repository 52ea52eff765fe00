"""Entries that wait for their SELinux labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bootimg.sysroot.commit import Commit, Folder
from bootimg.sysroot.entries import Entry, HostFile, Kind
from bootimg.sysroot.objects import DirectoryObject, FileObject


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry, and the path by which the policy of the deployment labels it.

    Without such a path the entry keeps the label that it has: the commit's.
    """

    entry: Entry
    policy_path: str | None = None


def own(entry: Entry, policy_path: str | None = None) -> Draft:
    """A file that is not the commit's, labelled by its path on the physical root if no other is given."""
    return Draft(entry, f"/{entry.path.decode()}" if policy_path is None else policy_path)


def object_path(checksum: str, kind: str = "file") -> str:
    """The path of an object on the physical root."""
    return f"ostree/repo/objects/{checksum[:2]}/{checksum[2:]}.{kind}"


def file_entry(path: str, file: FileObject, mtime: int, *, link: str | None = None) -> Entry:
    """A file or symlink with the object's content, owner, mode and attributes.

    Without a `link` it is an inode of its own.
    """
    if file.target is not None:
        return Entry(
            path=path.encode(),
            kind=Kind.SYMLINK,
            mode=0o777,
            uid=file.uid,
            gid=file.gid,
            mtime=mtime,
            xattrs=tuple(sorted(file.xattrs)),
            target=file.target,
            link=link,
        )
    return Entry(
        path=path.encode(),
        kind=Kind.FILE,
        mode=file.mode,
        uid=file.uid,
        gid=file.gid,
        mtime=mtime,
        xattrs=tuple(sorted(file.xattrs)),
        size=file.size,
        content=HostFile(file.path) if file.size else b"",
        link=link,
    )


def copied_file(path: str, file: FileObject, mtime: int) -> Entry:
    """A copy that shares its blocks with the object, as ostree's copies do where the file system can."""
    entry = file_entry(path, file, mtime)
    shares = entry.kind is Kind.FILE and entry.size
    return replace(entry, reflink=object_path(file.checksum).encode()) if shares else entry


def directory_entry(path: str, found: DirectoryObject, mtime: int) -> Entry:
    """A directory with the owner, mode and attributes of a dirmeta object."""
    return Entry(
        path=path.encode(),
        kind=Kind.DIRECTORY,
        mode=found.mode,
        uid=found.uid,
        gid=found.gid,
        mtime=mtime,
        xattrs=tuple(sorted(found.xattrs)),
    )


def copies(commit: Commit, folder: Folder, path: str, policy_path: str, mtime: int) -> list[Draft]:
    """Copies of all that is below a directory of the commit, labelled as what is below `policy_path`."""
    found = []
    for inner, each in commit.walk(folder):
        where, label = f"{path}/{inner}", f"{policy_path}/{inner}"
        if isinstance(each, Folder):
            found.append(Draft(directory_entry(where, commit.attributes(each), mtime), label))
        else:
            found.append(Draft(copied_file(where, each, mtime), label))
    return found
