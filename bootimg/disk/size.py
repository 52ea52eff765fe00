"""How large the disk must be: an estimate of the root file system before it is made.

The rule is coreos-assembler's estimate-commit-disk-size: every object takes whole 4 KiB blocks, one
more than its size says, and an inode of 512 bytes; 40 % are added for the file system's own data and
what ostree keeps, and 1 MiB.

Added to that is what mkfs.xfs takes since xfsprogs 5.15 however small the file system: a log of 64 MiB
and the reservations of its allocation groups.  40 % of a layer of 1.4 GiB hide them, of a small one not.

bootc needs more while it installs a layer that it has to label.  It writes the objects of the layers, then
those of the merged tree with labels, then those of the layers with labels, and removes what is not needed
only at the end; ostree keeps 3 % of the file system free (`min-free-space-percent`).  So each file that it
labels is counted three times.  Measured with bootc 1.16.9 and a plain layer: 140 % and 260 % of its objects
were too small and 420 %, three times the rule above, was enough.

Labels in a tar are not taken over; the objects of an encapsulated layer have theirs.  Such an object is the
same in all three and is counted once.  That follows from how objects are named and was not measured.
"""

from __future__ import annotations

from bootimg.arch import Arch
from bootimg.layer.importing.repository import SELINUX
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tree.merged import Tree
from bootimg.sizes import MIB, align_up

_BLOCK, _INODE = 4096, 512
_PERCENT = 140
_XFS = 64 + 192
# Layer objects, merged objects, labelled layer objects.
_COPIES = 3


def estimate_root_mib(tree: Tree, *, labelled_by_bootc: bool = False) -> int:
    """MiB that the root file system needs for the tree, margin included.

    `labelled_by_bootc`: bootc installs the layer and labels its files by the layer's policy.
    """
    objects: dict[tuple[int, int] | str, Entry] = {
        entry.link_key if entry.kind is Kind.FILE else path: entry for path, entry in tree.entries.items()
    }
    used = 0
    for entry in objects.values():
        alone = not labelled_by_bootc or (tree.ostree is not None and _has_label(entry))
        used += _bytes(entry) * (1 if alone else _COPIES)
    return align_up(used * _PERCENT // 100, MIB) // MIB + 1 + _XFS


def metal_size_mib(tree: Tree, arch: Arch, *, labelled_by_bootc: bool = False) -> int:
    """MiB of the base disk: the root file system and the partitions beside it."""
    return estimate_root_mib(tree, labelled_by_bootc=labelled_by_bootc) + arch.row.beside_root_mib


def _bytes(entry: Entry) -> int:
    blocks = entry.size // _BLOCK + 1 if entry.kind is Kind.FILE else 1
    return blocks * _BLOCK + _INODE


def _has_label(entry: Entry) -> bool:
    return any(name == SELINUX for name, _ in entry.xattrs)
