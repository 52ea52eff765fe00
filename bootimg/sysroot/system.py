"""The whole of it: from a recipe and an imported commit to the entries of every file system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.layer.importing.importer import ImportedCommit
from bootimg.manifest.recipe import Recipe
from bootimg.sizes import MIB
from bootimg.sysroot.boot import boot
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.entries import Entry
from bootimg.sysroot.kernel import find_kernel
from bootimg.sysroot.labels import LookUp, labelled, no_labels
from bootimg.sysroot.root import root
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.versions import PROGRAM, rules_of
from bootimg.sysroot.wanted import Wanted, wanted

_LARGEST_PROGRAM = 64 * MIB


@dataclass(frozen=True, slots=True)
class System:
    """The entries of the root file system and of /boot, each directory before what it holds."""

    root: Sequence[Entry]
    boot: Sequence[Entry]


def open_system(recipe: Recipe, repo: Path, imported: ImportedCommit) -> Wanted:
    """What is to be laid out; NativeUnsupportedError where only the layer's own tools can."""
    commit = Commit(repo, imported)
    return wanted(recipe, commit, rules_of(commit.read(PROGRAM, _LARGEST_PROGRAM)))


def lay_out(
    system: Wanted,
    look_up: LookUp = no_labels,
    *,
    additions: Iterable[Entry] = (),
    bootloader: Iterable[Entry] = (),
) -> System:
    """The entries; `look_up` gives the labels of paths where the system has a policy.

    `additions` are files of the physical root and `bootloader` files of /boot that are not ostree's, with the
    directories that they need.
    """
    kernel = find_kernel(system.commit)
    labels = look_up if system.labelled else no_labels
    root_drafts = list(root(system, kernel, additions))
    boot_drafts = list(boot(system, kernel, bootloader))
    # One look-up for both: it may start a program.
    entries = labelled([*root_drafts, *boot_drafts], labels)
    found = System(entries[: len(root_drafts)], entries[len(root_drafts) :])
    for each in (found.root, found.boot):
        _require_tree(each)
    return found


def _require_tree(entries: Sequence[Entry]) -> None:
    """Refuse two entries of one name: a whiteout beside a file of its name, for instance."""
    seen: set[bytes] = set()
    for entry in entries:
        if entry.path in seen:
            raise NativeUnsupportedError(f"/{entry.path.decode(errors='replace')} would be there twice")
        seen.add(entry.path)
