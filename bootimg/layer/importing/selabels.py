"""SELinux labels of a tree's paths, by the tree's own policy.

libostree reads the policy from a folder that holds only its text files, in a process with limits.  Compiled
regular expressions (`file_contexts.bin`) are left out: they come from the image, and libselinux would not
check them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bootimg.atomic import scratch_folder
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.layer.declared.selinuxconfig import PATH as CONFIG
from bootimg.layer.declared.selinuxconfig import SelinuxConfig, read_selinux_config
from bootimg.layer.image.blobs import replacing
from bootimg.layer.ostree.containertree import label_path
from bootimg.layer.ostree.libostree import libostree
from bootimg.layer.tar.entry import TYPES, Entry
from bootimg.layer.tree.merged import Tree
from bootimg.printable import printable
from bootimg.sizes import MIB
from bootimg.untrusted.limited import ProcessLimits

Key = tuple[str, int]
LookUp = Callable[[str, Sequence[Key]], Sequence[str | None]]
"""Looks keys up by the policy in a folder."""
_FILES = ("file_contexts", "file_contexts.homedirs", "file_contexts.local",
          "file_contexts.subs", "file_contexts.subs_dist")  # fmt: skip
"""The files of labels that libselinux reads."""
_LARGEST = 16 * MIB
_MEMORY = 384 * MIB
"""A policy of 6000 expressions takes 70 MiB, and a second for each thousand paths."""
_LEAST_TIME, _SPEED = 30, 400
"""Seconds of processor time for any policy, and lookups for which there is one more."""


def label_key(path: str, entry: Entry) -> Key:
    """What a label depends on: the path and the type of file."""
    return label_path(path), TYPES[entry.kind]


def labels(tree: Tree, policy: str, keys: Iterable[Key], cache: Cache) -> Mapping[Key, str]:
    """The label of each key; keys that the policy has no label for are left out.

    `selinux-policy-unreadable` where libselinux cannot read the policy, or not within its limits.
    """

    def ask(folder: str, missing: Sequence[Key]) -> Sequence[str | None]:
        seconds = _LEAST_TIME + len(missing) // _SPEED
        limits = ProcessLimits(memory=None, data=_MEMORY, seconds=seconds, deadline=10 * seconds)
        try:
            with libostree(Path(folder), cache.folder("logs") / "ostree.log", limits) as worker:
                found: list[str | None] = worker.call("labels", folder, missing)
                return found
        except BootimgError as error:
            if error.id != "ostree-failed":
                raise
            raise _unreadable(policy, " ".join(error.context)) from None

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

    libostree needs a file `policy.NN` to distinguish policies; it never parses it.  The config is written
    anew: libostree reads it by other rules than bootimg.
    """
    etc = "etc" if tree.exists(CONFIG) else "usr/etc"
    contexts = f"selinux/{policy}/contexts/files"
    found = {CONFIG: SelinuxConfig(policy, read_selinux_config(tree).enabled).text()}
    for name in _FILES:
        if tree.exists(f"{etc}/{contexts}/{name}"):
            found[f"etc/{contexts}/{name}"] = tree.read(f"{etc}/{contexts}/{name}", _LARGEST)
    found[f"etc/selinux/{policy}/policy/policy.33"] = b""
    return found


def _unreadable(policy: str, why: str) -> BootimgError:
    return BootimgError(
        "selinux-policy-unreadable",
        f"the image's SELinux policy {policy} cannot be read",
        context=[printable(why)[:400]],
        hint="run `matchpathcon /etc` in a container of the image: it reads the same files",
    )


def _read(path: Path) -> dict[Key, str | None]:
    if not path.exists():
        return {}
    return {(name, kind): label for name, kind, label in json.loads(path.read_bytes())}
