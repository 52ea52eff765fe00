"""The commits of an image in the plain form: one for each layer, and the merge commit of all layers.

The merge commit has the keys that ostree-rs-ext writes since it supports plain images (bootc 1.1).  It also
has `version`, `ostree.linux`, `ostree.bootable` and `ostree.tar-filtered`, which tools read from any commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bootimg.cache import Cache
from bootimg.layer.declared.facts import kernel_version, selinux_enabled, selinux_policy
from bootimg.layer.image.fetched import Image
from bootimg.layer.importing.repository import ObjectWriter, labelled
from bootimg.layer.importing.selabels import Key, label_key, labels
from bootimg.layer.ostree.containertree import OstreeTree, to_ostree
from bootimg.layer.ostree.libostree import Libostree
from bootimg.layer.ostree.refs import layer_ref
from bootimg.layer.tar.merge import Merged
from bootimg.layer.tree.merged import Tree

IMPORTER = "0.15.3"
"""The version of ostree-rs-ext that would make the same commits."""


def write_plain(
    image: Image, tree: Tree, writer: ObjectWriter, worker: Libostree, cache: Cache
) -> tuple[str, dict[str, str]]:
    """Write objects and commits; returns the merge commit, and the refs of the layers."""
    merged = to_ostree(tree.entries.values(), tree.root)
    with tree.budget.working():
        layers = layer_trees(tree)
    found = _labels(tree, [merged, *layers], cache)
    refs = {}
    for blob, layer in zip(image.layers, layers, strict=True):
        root = writer.write(_labelled(layer, found))
        refs[layer_ref(blob.digest)] = worker.call("commit", *root, 0, {}, {}, None)
    root = writer.write(_labelled(merged, found))
    filtered = {
        blob.digest: layer.filtered
        for blob, layer in zip(image.layers, layers, strict=True)
        if layer.filtered
    }
    flags = {"ostree.bootable": True}
    checksum = worker.call("commit", *root, image.created, _strings(image, tree), flags, filtered)
    return checksum, refs


def layer_trees(tree: Tree) -> list[OstreeTree]:
    """The tree of each layer alone; whiteouts stay in it as files, as in the layers of ostree-rs-ext."""
    merged, found = Merged(tree.budget.again()), []
    # One for all: each layer may imply the same directories again.
    budget = tree.budget.again()
    for layer in tree.layers:
        alone = Merged(budget)
        alone.lay(merged.apply(layer.entries))
        root = alone.entries.pop("")
        found.append(to_ostree(alone.entries.values(), root, whole=False))
    return found


def _labelled(tree: OstreeTree, found: Mapping[Key, str]) -> OstreeTree:
    entries = {}
    for path, entry in tree.entries.items():
        xattrs = tuple(labelled(entry.xattrs, found.get(label_key(path, entry))))
        entries[path] = entry if xattrs == entry.xattrs else replace(entry, xattrs=xattrs)
    return replace(tree, entries=entries)


def _labels(tree: Tree, trees: list[OstreeTree], cache: Cache) -> Mapping[Key, str]:
    policy = selinux_policy(tree) if selinux_enabled(tree) else None
    if policy is None:
        return {}
    keys = {label_key(path, entry) for each in trees for path, entry in each.entries.items()}
    return labels(tree, policy, keys, cache)


def _strings(image: Image, tree: Tree) -> dict[str, str]:
    return {
        "ostree.manifest-digest": image.digest,
        "ostree.manifest": image.manifest.decode(),
        "ostree.container.image-config": image.config.decode(),
        "ostree.importer.version": IMPORTER,
        "ostree.linux": kernel_version(tree),
        "version": image.version or "",
    }
