"""The physical root: repository, stateroot, deployment, boot links, and what the caller adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from bootimg.sysroot.bls import BOOT_VERSION, boot_link
from bootimg.sysroot.deployment import backing, deployment
from bootimg.sysroot.draft import Draft, own
from bootimg.sysroot.entries import Entry, directory, symlink
from bootimg.sysroot.kernel import Kernel
from bootimg.sysroot.repository import repository
from bootimg.sysroot.var import var
from bootimg.sysroot.wanted import ROOT_MOUNT, Wanted, made_directories


def root(wanted: Wanted, kernel: Kernel, additions: Iterable[Entry]) -> Iterator[Draft]:
    """The root file system; `additions` are files such as the aleph, ready but for labels."""
    now = wanted.now
    yield own(directory("", 0o755, now))
    # The mount point of /boot; ostree's `init-fs --modern` makes it and no other.
    for path, mode in {"boot": 0o755, **made_directories(wanted.recipe)[ROOT_MOUNT]}.items():
        yield own(directory(path, mode, now))
    yield own(directory("ostree", 0o755, now))
    yield from repository(wanted)
    yield own(directory("ostree/deploy", 0o755, now))
    yield own(directory(wanted.stateroot, 0o755, now))
    yield from var(wanted)
    if wanted.rules.backing:
        yield from backing(wanted)
    yield from deployment(wanted)
    yield from _boot_links(wanted, kernel)
    for entry in additions:
        yield own(entry)


def _boot_links(wanted: Wanted, kernel: Kernel) -> Iterator[Draft]:
    """ostree/boot.1 → boot.1.1, a copy of which the next deployment swaps in (create_new_bootlinks)."""
    link = PurePosixPath(boot_link(wanted, kernel))
    current = f"boot.{BOOT_VERSION}.1"
    real = PurePosixPath("ostree", current, *link.parts[2:])
    for parent in reversed(real.parents[:-2]):
        yield own(directory(str(parent), 0o755, wanted.now))
    target = f"../../../{wanted.deployment.removeprefix('ostree/')}"
    yield own(symlink(str(real), target, wanted.now))
    yield own(symlink(str(link.parents[2]), current, wanted.now))
