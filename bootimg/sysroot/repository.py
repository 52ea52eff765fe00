"""/ostree/repo of the physical root: what init-fs, the configuration, pull-local and deploy leave.

A content object of a bare repository is a file with the owner, mode and attributes of the commit; metadata
objects are byte copies.  No checksum changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from bootimg.sysroot.draft import Draft, file_entry, object_path, own
from bootimg.sysroot.entries import Entry, HostFile, Kind, directory, text
from bootimg.sysroot.keyfile import key_file
from bootimg.sysroot.wanted import Wanted

REPO = "ostree/repo"
_CORE = (("core.repo_version", "1"), ("core.mode", "bare"))
_FOLDERS = ("extensions", "state", "tmp", "tmp/cache", "refs", "refs/heads", "refs/mirrors", "refs/remotes")
# ostree/<bootversion>/<subbootversion>/<index>: ostree's own ref, which keeps the commit from pruning.
_DEPLOYED = "ostree/1/1/0"


def repository(wanted: Wanted) -> Iterator[Draft]:
    """The repository with all the imported objects and refs."""
    yield own(directory(REPO, 0o755, wanted.now))
    # The lock is made 0660 less the umask (ostree-repo.c).
    yield own(text(f"{REPO}/.lock", b"", wanted.now, 0o640))
    yield own(text(f"{REPO}/config", key_file(_CORE, wanted.config), wanted.now))
    for name in _FOLDERS:
        yield own(directory(f"{REPO}/{name}", 0o755, wanted.now))
    yield from _refs(wanted)
    yield from _objects(wanted)


def _refs(wanted: Wanted) -> Iterator[Draft]:
    heads = f"{REPO}/refs/heads"
    made: set[str] = set()
    for ref, checksum in sorted({**wanted.commit.imported.refs, _DEPLOYED: wanted.commit.checksum}.items()):
        for parent in reversed(PurePosixPath(ref).parents[:-1]):
            if str(parent) not in made:
                made.add(str(parent))
                yield own(directory(f"{heads}/{parent}", 0o755, wanted.now))
        yield own(text(f"{heads}/{ref}", f"{checksum}\n".encode(), wanted.now))


def _objects(wanted: Wanted) -> Iterator[Draft]:
    """The objects; a folder is made when the first object goes into it."""
    yield own(directory(f"{REPO}/objects", 0o755, wanted.now))
    files = sorted(wanted.commit.imported.files)
    for prefix in sorted({name[:2] for name in files}):
        yield own(directory(f"{REPO}/objects/{prefix}", 0o755, wanted.now))
    for name in files:
        if name.endswith(".file"):
            checksum = name[:2] + name[3:-5]
            yield Draft(object_entry(wanted, checksum, object_path(checksum)))
        else:
            yield Draft(_metadata(wanted, name))


def object_entry(wanted: Wanted, checksum: str, path: str) -> Entry:
    """A name of a content object: ostree sets the time of regular files to 0, symlinks keep the clock's."""
    file = wanted.commit.objects.file(checksum)
    mtime = 0 if file.target is None else wanted.now
    return file_entry(path, file, mtime, link=checksum)


def _metadata(wanted: Wanted, name: str) -> Entry:
    path = wanted.commit.objects.path(name)
    return Entry(
        path=f"{REPO}/objects/{name}".encode(),
        kind=Kind.FILE,
        mode=0o644,
        size=wanted.commit.objects.size(name),
        content=HostFile(path),
    )
