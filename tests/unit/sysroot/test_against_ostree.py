"""What we lay out against what this machine's ostree leaves: every name, with all that belongs to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hostiletree import hostile_tree
from tests.support.ostreedeploy import (
    CONFIG,
    OSNAME,
    commit,
    deploy,
    differences,
    facts_of_entries,
    facts_of_folder,
    own_rules,
    partitions,
    recipe,
    removable,
    require,
)

# The file system of the test is one for both: these are the recipe's, or mkfs's.
OURS = {"efi", "ignition.firstboot", "lost+found"}


@pytest.mark.parametrize("variant", [1, 2, 3])
def test_a_hostile_commit(variant: int, tmp_path: Path) -> None:
    require()
    config = {**CONFIG, "sysroot.bootprefix": "false"} if variant == 2 else CONFIG
    tree = hostile_tree(tmp_path / "tree", variant)
    committed = commit(
        tree, tmp_path / "repo", "--add-metadata-string=version=1.2 b", "--add-detached-metadata-string=det=1",
        others=[tree / "usr/share"],
    )  # fmt: skip
    sysroot = tmp_path / "sysroot"
    deploy(committed, sysroot, config)
    try:
        theirs, boot = partitions(facts_of_folder(sysroot))
    finally:
        removable(sysroot)
    system = committed.laid_out(own_rules(), recipe(config))
    ours = facts_of_entries(system.root)
    print(*differences(theirs, ours),sep='\n'); assert differences(theirs, ours) == []
    found = {name: facts for name, facts in facts_of_entries(system.boot).items() if name not in {*OURS, ""}}
    print(*differences(boot, found),sep='\n'); assert differences(boot, found) == []
    assert f"ostree/deploy/{OSNAME}/var/.ostree-selabeled" in ours
