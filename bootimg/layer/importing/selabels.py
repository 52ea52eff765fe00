"""SELinux labels of a tree's paths, by the tree's own policy.

libostree reads the policy from a folder that holds only its text files.  Compiled regular expressions
(`file_contexts.bin`) are left out: they come from the image, and libostree would not check them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bootimg.atomic import scratch_folder
from bootimg.cache import Cache
from bootimg.layer.image.blobs import replacing
from bootimg.layer.ostree.containertree import label_path
from bootimg.layer.ostree.libostree import Libostree
from bootimg.layer.tar.entry import TYPES, Entry
from bootimg.layer.tree.merged import Tree

Key = tuple[str, int]
LookUp = Callable[[str, Sequence[Key]], Sequence[str | None]]
"""Looks keys up by the policy in a folder."""


def label_key(path: str, entry: Entry) -> Key:
    """What a label depends on: the path and the type of file."""
    return label_path(path), TYPES[entry.kind]


def labels(
    tree: Tree, policy: str, keys: Iterable[Key], cache: Cache, worker: Libostree
) -> Mapping[Key, str]:
    """The label of each key, by a running worker; keys that the policy has no label for are left out."""

    def ask(folder: str, missing: Sequence[Key]) -> Sequence[str | None]:
        found: list[str | None] = worker.call("labels", folder, missing)
        return found

    return labels_by(tree, policy, keys, cache, ask)


def labels_by(tree: Tree, policy: str, keys: Iterable[Key], cache: Cache, ask: LookUp) -> Mapping[Key, str]:
    """The label of each key; keys that the policy has no label for are left out.

    Labels are cached by the policy's content, because looking them up is the slowest part of an import.
    """
    keys = list(keys)
    files = policy_files(tree, policy)
    name = hashlib.sha256(json.dumps([[k, v.hex()] for k, v in sorted(files.items())]).encode()).hexdigest()
    path = cache.folder("labels") / f"{name}.json"
    known = _read(path)
    missing = sorted(set(keys) - known.keys())
    if missing:
        with scratch_folder(cache.folder("tmp"), "labels-") as folder:
            for file, data in files.items():
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            found = ask(str(folder), missing)
        known |= dict(zip(missing, found, strict=True))
        rows = [[*key, label] for key, label in sorted(known.items())]
        with replacing(path) as output:
            output.write(json.dumps(rows, separators=(",", ":")).encode())
    return {key: label for key in keys if (label := known[key])}


def policy_files(tree: Tree, policy: str) -> dict[str, bytes]:
    """The text files of a policy by path, and an empty stand-in for the binary policy.

    libostree needs a file `policy.NN` to distinguish policies; it never parses it.
    """
    etc = "etc" if tree.exists("etc/selinux/config") else "usr/etc"
    contexts = f"selinux/{policy}/contexts/files"
    found = {"etc/selinux/config": tree.read(f"{etc}/selinux/config")}
    for name in tree.listdir(f"{etc}/{contexts}"):
        if name.startswith("file_contexts") and not name.endswith(".bin"):
            found[f"etc/{contexts}/{name}"] = tree.read(f"{etc}/{contexts}/{name}")
    found[f"etc/selinux/{policy}/policy/policy.33"] = b""
    return found


def _read(path: Path) -> dict[Key, str | None]:
    if not path.exists():
        return {}
    return {(name, kind): label for name, kind, label in json.loads(path.read_bytes())}
