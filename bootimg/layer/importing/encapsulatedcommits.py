"""The commits of an encapsulated image, as `ostree container image deploy` of ostree-rs-ext 0.15 makes them.

- The first layer's ref names the commit that was encapsulated.  Each further layer of the base has a
  commit whose files are the layer's objects, named by checksum.  Each derived layer has a commit of its
  files.
- The merge commit is the image.  Its files get new labels from the policy in the image, which is the
  base's policy if there are no derived layers.  A path that the policy has no label for keeps its label.
  Paths in /usr/etc are looked up under that name, as libostree does by default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from bootimg.cache import Cache
from bootimg.layer.declared.facts import selinux_enabled, selinux_policy
from bootimg.layer.image.fetched import Image
from bootimg.layer.importing.plaincommits import IMPORTER
from bootimg.layer.importing.repository import SELINUX, ObjectWriter
from bootimg.layer.importing.selabels import Key, labels
from bootimg.layer.ostree.containertree import OstreeTree
from bootimg.layer.ostree.encapsulatedimage import OstreeImage
from bootimg.layer.ostree.libostree import Libostree
from bootimg.layer.ostree.refs import layer_ref
from bootimg.layer.tar.entry import TYPES, Entry
from bootimg.layer.tree.merged import Tree
from bootimg.untrusted.jsonfile import parse_json

_IMPORTER = {"ostree.importer.version": IMPORTER}


def write_encapsulated(
    image: Image, tree: Tree, writer: ObjectWriter, worker: Libostree, cache: Cache
) -> tuple[str, dict[str, str]]:
    """Write objects and commits; returns the merge commit, and the refs of the layers."""
    ostree = tree.ostree
    assert ostree
    commits = [*_write_base(ostree, writer, worker)]
    again = tree.budget.again()
    base = Tree(tree.layers, replace(ostree, merged=ostree.base), budget=again) if ostree.derived else tree
    for layer in ostree.derived:
        root = writer.write(_relabelled(layer, base, cache))
        commits.append(worker.call("commit", *root, 0, _IMPORTER, {}, None))
    root = writer.write(_relabelled(ostree.merged, tree, cache))
    derived = image.layers[len(ostree.objects) :]
    filtered = {
        blob.digest: layer.filtered
        for blob, layer in zip(derived, ostree.derived, strict=True)
        if layer.filtered
    }
    checksum = worker.call("commit", *root, image.created, _strings(image), {}, filtered)
    refs = {layer_ref(blob.digest): commit for blob, commit in zip(image.layers, commits, strict=True)}
    return checksum, refs


def _write_base(ostree: OstreeImage, writer: ObjectWriter, worker: Libostree) -> list[str]:
    """Write the base's objects unchanged; returns the commit of each of its layers."""
    commits = []
    for number, layer in enumerate(ostree.objects):
        for entry in layer.content.values():
            writer.write_file(entry)
        for name, data in layer.metadata.items():
            writer.write_metadata(name, data)
        if number:
            root = writer.write_set(layer.content)
            commits.append(worker.call("commit", *root, 0, {}, {}, None))
        else:
            commits.append(ostree.commit)
    return commits


def _relabelled(tree: OstreeTree, policy_of: Tree, cache: Cache) -> OstreeTree:
    policy = selinux_policy(policy_of) if selinux_enabled(policy_of) else None
    if policy is None:
        return tree
    keys = {_key(path, entry) for path, entry in tree.entries.items()}
    found = labels(policy_of, policy, keys, cache)
    entries = {path: _labelled(entry, found.get(_key(path, entry))) for path, entry in tree.entries.items()}
    return replace(tree, entries=entries)


def _key(path: str, entry: Entry) -> Key:
    return f"/{path}", TYPES[entry.kind]


def _labelled(entry: Entry, label: str | None) -> Entry:
    pair = (SELINUX, f"{label}\0".encode())
    if label is None or pair in entry.xattrs:
        return entry
    kept = [each for each in entry.xattrs if each[0] != SELINUX]
    return replace(entry, xattrs=tuple(sorted([*kept, pair])))


def _strings(image: Image) -> Mapping[str, str]:
    return {
        **_IMPORTER,
        "ostree.manifest-digest": image.digest,
        "ostree.manifest": _canonical(image.manifest),
        "ostree.container.image-config": _canonical(image.config),
    }


def _canonical(document: bytes) -> str:
    # ostree-rs-ext writes the parsed document: since bootc 1.2 with sorted keys, before in no fixed order.
    tree = parse_json(document).value
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
