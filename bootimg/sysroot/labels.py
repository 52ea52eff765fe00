"""SELinux labels by path, from the policy of the deployment.

The host looks paths up with libselinux, as for the import; nothing of the layer runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bootimg.cache import Cache
from bootimg.layer.declared.facts import selinux_enabled
from bootimg.layer.importing.selabels import Key, labels
from bootimg.layer.tar.entry import TYPES
from bootimg.layer.tar.entry import Kind as TarKind
from bootimg.layer.tree.merged import Tree
from bootimg.sysroot.draft import Draft
from bootimg.sysroot.entries import Entry, Kind, with_label
from bootimg.sysroot.unsupported import NativeUnsupportedError

LookUp = Callable[[Sequence[Key]], Mapping[Key, str]]
_TYPES = {
    Kind.FILE: TYPES[TarKind.FILE],
    Kind.DIRECTORY: TYPES[TarKind.DIRECTORY],
    Kind.SYMLINK: TYPES[TarKind.SYMLINK],
}


def no_labels(_: Sequence[Key]) -> Mapping[Key, str]:
    """The look-up for a system without a policy."""
    return {}


def policy_labels(tree: Tree, policy: str, cache: Cache) -> LookUp:
    """The look-up by the policy of a layer's tree; what was looked up once is kept in the cache."""
    if not selinux_enabled(tree):
        raise NativeUnsupportedError("the layer has an SELinux policy that its configuration turns off")

    return lambda keys: labels(tree, policy, keys, cache)


def labelled(drafts: Iterable[Draft], look_up: LookUp) -> list[Entry]:
    """The entries with the labels of their paths; those the policy has none for keep what they have."""
    drafts = list(drafts)
    keys = sorted({_key(draft) for draft in drafts if draft.policy_path is not None})
    found = look_up(keys)
    return [
        with_label(draft.entry, found[_key(draft)])
        if draft.policy_path is not None and _key(draft) in found
        else draft.entry
        for draft in drafts
    ]


def _key(draft: Draft) -> Key:
    return draft.policy_path or "/", _TYPES[draft.entry.kind]
