"""The stateroot's /var.

Source: libostree's prepare_deployment_var and _ostree_sysroot_stateroot_legacy_var_init.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.sysroot.commit import WHITEOUT
from bootimg.sysroot.deployment import UPDATED
from bootimg.sysroot.draft import Draft, copies, own
from bootimg.sysroot.entries import Entry, directory, symlink, text
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.wanted import Wanted

_TMPFILES = "usr/lib/tmpfiles.d"
_SELABELED = ".ostree-selabeled"


def var(wanted: Wanted) -> Iterator[Draft]:
    """The directory, which os-init makes with a mode of its own, and what is in it."""
    path = f"{wanted.stateroot}/var"
    yield own(directory(path, 0o755, wanted.now), "/var")
    found = list(_of_commit(wanted, path)) if wanted.rules.var_of_commit else []
    yield from found
    if not wanted.rules.var_of_commit or _wants_standard(wanted):
        there = {draft.entry.path for draft in found}
        for entry in _standard(path, wanted.now):
            if entry.path not in there:
                yield own(entry, _policy_path(wanted, entry))
    # Written also where SELinux is off (selinux_relabel_var_if_needed).
    stamp = text(f"{path}/{_SELABELED}", b"", wanted.now)
    yield own(stamp, _policy_path(wanted, stamp))


def _of_commit(wanted: Wanted, path: str) -> Iterator[Draft]:
    folder = wanted.commit.require_folder("var")
    if folder is None:
        return
    for draft in copies(wanted.commit, folder, path, "/var", wanted.now):
        name = draft.entry.path.rpartition(b"/")[2].decode()
        if name.startswith(WHITEOUT) or draft.policy_path == f"/var/{_SELABELED}":
            raise NativeUnsupportedError(f"the commit has {draft.policy_path}")
        if draft.policy_path != f"/var/{UPDATED}":
            yield draft


def _wants_standard(wanted: Wanted) -> bool:
    """Whether the commit has a /var and no systemd-tmpfiles to fill it."""
    return wanted.commit.folder("var") is not None and wanted.commit.find(_TMPFILES) is None


def _standard(path: str, now: int) -> list[Entry]:
    return [
        directory(f"{path}/tmp", 0o1777, now),
        directory(f"{path}/lib", 0o755, now),
        directory(f"{path}/log", 0o755, now),
        symlink(f"{path}/run", "../run", now),
        symlink(f"{path}/lock", "../run/lock", now),
    ]


def _policy_path(wanted: Wanted, entry: Entry) -> str:
    return "/" + entry.path.decode().removeprefix(f"{wanted.stateroot}/")
