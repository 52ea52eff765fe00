"""What we lay out against what this machine's ostree leaves: every name, with all that belongs to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.layers.hostiletree import hostile_tree
from tests.support.layers.ostreedeploy import (
    CONFIG,
    commit,
    deploy,
    differences,
    facts_of_entries,
    facts_of_folder,
    kept_aside,
    own_rules,
    partitions,
    recipe,
    removable,
    require,
)


@pytest.mark.parametrize("variant", [1, 2, 3])
def test_a_hostile_commit(variant: int, tmp_path: Path) -> None:
    require()
    config = {**CONFIG, "sysroot.bootprefix": "false"} if variant == 2 else CONFIG
    tree = hostile_tree(tmp_path / "tree", variant)
    committed = commit(
        tree, tmp_path / "repo", "--add-metadata-string=version=1.2 b",
        "--add-detached-metadata-string=det=1", others=[tree / "usr/share"],
    )  # fmt: skip
    sysroot = tmp_path / "sysroot"
    deploy(committed, sysroot, config)
    try:
        root, boot = partitions(facts_of_folder(sysroot))
    finally:
        removable(sysroot)
    system = committed.laid_out(own_rules(), recipe(config))
    assert differences(root, facts_of_entries(system.root)) == []
    assert differences(*kept_aside(boot, facts_of_entries(system.boot))) == []
    entry = next(name for name in boot if name.endswith(".conf"))
    text = (sysroot / "boot" / entry).read_text()
    content = next(each.content for each in system.boot if each.path.decode() == entry)
    assert isinstance(content, bytes)
    # ostree writes the keys that have no place of their own in the order of a hash table.
    assert sorted(content.decode().splitlines()) == without_aboot(text)


def without_aboot(text: str) -> list[str]:
    """The lines of an entry, sorted, without files of Android's bootloader that do not exist."""
    return sorted(line for line in text.splitlines() if not line.startswith("aboot"))
