"""The deployment: a checkout of hard links, /etc as a copy, the origin.

Source: libostree's checkout_deployment_tree, prepare_deployment_etc and ostree-repo-checkout.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bootimg.sysroot.commit import WHITEOUT, Commit, Folder
from bootimg.sysroot.composefs.image import composefs_image
from bootimg.sysroot.draft import Draft, copies, directory_entry, file_entry, own
from bootimg.sysroot.entries import Entry, Kind, directory, text
from bootimg.sysroot.keyfile import key_file
from bootimg.sysroot.objects import FileObject
from bootimg.sysroot.prepareroot import needs_composefs
from bootimg.sysroot.repository import object_entry
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.wanted import Wanted

# systemd's stamp of a completed update: units that wait for one shall run.
UPDATED = ".updated"


def deployment(wanted: Wanted) -> Iterator[Draft]:
    """The folder `deploy` of the stateroot."""
    yield own(directory(f"{wanted.stateroot}/deploy", 0o755, wanted.now))
    origin = key_file([("origin.container-image-reference", wanted.sysroot.deploy.target_imgref)], {})
    yield own(text(f"{wanted.deployment}.origin", origin, wanted.now))
    root = directory_entry(wanted.deployment, wanted.commit.attributes(wanted.commit.root), wanted.now)
    yield Draft(replace(root, immutable=wanted.immutable))
    if needs_composefs(wanted):
        image = composefs_image(wanted.commit)
        yield own(text(f"{wanted.deployment}/.ostree.cfs", image, wanted.now), "/.ostree.cfs")
    yield from _checkout(wanted)
    yield from etc(wanted)


def backing(wanted: Wanted) -> Iterator[Draft]:
    """What `root.transient` and `ostree admin unlock` lay over the deployment.

    The upper directory has the mode and label of / (sysroot_initialize_deployment_backing).
    """
    top = f"{wanted.stateroot}/backing"
    own_folder = f"{top}/{wanted.commit.checksum}.0"
    transient = f"{own_folder}/root-transient"
    for path in (top, own_folder, transient, f"{transient}/work"):
        yield own(directory(path, 0o700, wanted.now))
    mode = wanted.commit.attributes(wanted.commit.root).mode
    yield own(directory(f"{transient}/upper", mode, wanted.now), "/")


def _checkout(wanted: Wanted) -> Iterator[Draft]:
    """Directories have the time 0; /etc of the commit gives way to the copy of /usr/etc."""
    commit = wanted.commit
    for path, found in commit.walk(commit.root):
        if path == "etc":
            continue
        where = f"{wanted.deployment}/{path}"
        if isinstance(found, Folder):
            yield Draft(directory_entry(where, commit.attributes(found), 0))
        else:
            yield Draft(_checked_out(wanted, where, found))


def _checked_out(wanted: Wanted, path: str, file: FileObject) -> Entry:
    """A hard link of the object; an empty file is a copy (2020.7), a whiteout a device (2022.6)."""
    parent, _, name = path.rpartition("/")
    if name.startswith(WHITEOUT):
        return whiteout(f"{parent}/{name.removeprefix(WHITEOUT)}", file, wanted.now)
    if file.target is None and not file.size:
        return file_entry(path, file, wanted.now)
    return object_entry(wanted, file.checksum, path)


def whiteout(path: str, file: FileObject, mtime: int) -> Entry:
    """overlayfs's whiteout, from the regular file that stands for it in a commit."""
    if file.target is not None or any(name.startswith(b"user.") for name, _ in file.xattrs):
        raise NativeUnsupportedError(f"/{path} would be a whiteout that no file system holds")
    if path.endswith("/"):
        raise NativeUnsupportedError(f"/{path} is a whiteout without a name")
    entry = file_entry(path, file, mtime)
    return replace(entry, kind=Kind.WHITEOUT, size=0, content=b"")


def etc(wanted: Wanted) -> Iterator[Draft]:
    """/etc: copies of what is in /usr/etc, which share its blocks, labelled as /etc."""
    defaults = require_defaults(wanted.commit)
    path = f"{wanted.deployment}/etc"
    yield Draft(directory_entry(path, wanted.commit.attributes(defaults), wanted.now), "/etc")
    for draft in copies(wanted.commit, defaults, path, "/etc", wanted.now):
        if draft.policy_path != f"/etc/{UPDATED}":
            yield draft


def require_defaults(commit: Commit) -> Folder:
    """/usr/etc of the commit, which must not have content in /etc, nor whiteouts where files are copied."""
    defaults, old = commit.require_folder("usr/etc"), commit.require_folder("etc")
    if defaults is None:
        raise NativeUnsupportedError("the commit has no /usr/etc")
    if old is not None and any(commit.contents(old)):
        raise NativeUnsupportedError("the commit has content in /etc")
    if any(path.rpartition("/")[2].startswith(WHITEOUT) for path, _ in commit.walk(defaults)):
        raise NativeUnsupportedError("the commit has a whiteout in /usr/etc")
    return defaults
