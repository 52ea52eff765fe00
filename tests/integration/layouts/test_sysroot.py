"""The deployed system as entries, checked against what ostree leaves: the layer's own and this machine's.

Each difference that is allowed is named by a rule here.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.aleph import ALEPH, COREOS_ALEPH, aleph_json
from bootimg.events import Events
from bootimg.layer.importing.importer import import_layer
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.recipes.variables import target_imgref
from bootimg.orchestrator.request import Request
from bootimg.sysroot.composefs.image import composefs_image
from bootimg.sysroot.composefs.tree import commit_nodes
from bootimg.sysroot.entries import Kind, symlink, text
from bootimg.sysroot.labels import policy_labels
from bootimg.sysroot.system import System, lay_out, open_system
from bootimg.sysroot.versions import OstreeRules, rules_of
from bootimg.sysroot.wanted import Wanted
from tests.integration.conftest import Built, Workspace
from tests.integration.layouts.diskfacts import BOOT, ROOT, mounted_partition, unexplained
from tests.support.debianprograms import ostree_program
from tests.support.layers.composefsdump import dump
from tests.support.layers.hostiletree import KERNEL, hostile_tree
from tests.support.layers.ostreedeploy import (
    CONFIG,
    Facts,
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
    run,
)

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Compared:
    """The names of p4 and p3: the appliance's and ours."""

    root: dict[str, Facts]
    boot: dict[str, Facts]
    system: System
    wanted: Wanted
    deployment: Path
    made: int
    """When the appliance's disk was finished, in nanoseconds."""

    def unexplained(self, theirs: dict[str, Facts], ours: dict[str, Facts]) -> dict[str, set[str]]:
        return unexplained(theirs, ours, now=self.wanted.now, made=self.made)


@pytest.fixture(scope="module")
def compared(
    by_appliance: Built, workspace: Workspace, layer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Compared]:
    require()
    folder, disk = tmp_path_factory.mktemp("base"), by_appliance.base
    system, wanted = laid_out(workspace, layer)
    with ExitStack() as stack:
        root, boot = (
            stack.enter_context(mounted_partition(disk, 512, number, folder / str(number)))
            for number in (ROOT, BOOT)
        )
        deployment = next(path for path in root.glob("ostree/deploy/rhcos/deploy/*.0") if path.is_dir())
        facts = facts_of_folder(root), facts_of_folder(boot)
        yield Compared(*facts, system, wanted, deployment, disk.stat().st_mtime_ns)


def laid_out(workspace: Workspace, layer: Path) -> tuple[System, Wanted]:
    """The stand-in layer as entries, from the cache of the build."""
    cache, events = Cache(workspace.cache), Events()
    request = Request(
        reference=f"oci-archive:{layer}", arch=Arch.X86_64, platforms=(), builds=workspace.builds
    )
    opened = open_layer(request, cache, events)
    made = make_recipes(request, opened, layer, "0" * 64)[512]
    imgref = target_imgref(request, opened.image, opened.facts)
    imported = import_layer(
        opened.image, opened.tree, repo=cache.folder("repo"), cache=cache, events=events, imgref=imgref
    )
    wanted = open_system(made, cache.folder("repo"), imported)
    policy = opened.facts.selinux_policy
    assert policy
    aleph = aleph_json(imgref, opened.image.config_digest, opened.image.labels)
    additions = [text(ALEPH, aleph, wanted.now), symlink(COREOS_ALEPH, ALEPH, wanted.now)]
    return lay_out(wanted, policy_labels(opened.tree, policy, cache), additions=additions), wanted


@pytest.mark.matrix
def test_the_root_is_the_appliance_s(compared: Compared) -> None:
    found = compared.unexplained(compared.root, facts_of_entries(compared.system.root))
    # setfiles leaves the folders of objects out with the objects, and labels `upper` by its path.
    folders = {name for name, facts in compared.root.items()
               if facts["kind"] is Kind.DIRECTORY and name.startswith("ostree/repo/objects")}  # fmt: skip
    upper = {name for name in compared.root if name.endswith("root-transient/upper")}
    assert found == {"xattrs": folders | upper}
    assert len(compared.root) > 20_000


@pytest.mark.matrix
def test_boot_is_the_appliance_s_but_for_the_bootloader(compared: Compared) -> None:
    found = compared.unexplained(compared.boot, facts_of_entries(compared.system.boot))
    bootloader = {name for name in compared.boot if name.split("/")[0] == "grub2"}
    # The appliance's ostree names Android's boot files, which do not exist.
    assert found == {"names": bootloader, "content": {"loader.1/entries/ostree-1.conf"}}


@pytest.mark.skipif(not shutil.which("mkcomposefs"), reason="mkcomposefs is not installed")
@pytest.mark.matrix
def test_a_composefs_image_of_the_layer_is_composefs_own(compared: Compared, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(dump(commit_nodes(compared.wanted.commit)))
    run("mkcomposefs", "--from-file", tmp_path / "dump", tmp_path / "image")
    assert composefs_image(compared.wanted.commit) == (tmp_path / "image").read_bytes()


@dataclass(frozen=True)
class LayerOstree:
    """The layer's own ostree, run in its deployment; `shared` has the same path inside and outside."""

    deployment: Path
    shared: Path

    @property
    def rules(self) -> OstreeRules:
        return rules_of((self.deployment / "usr/bin/ostree").read_bytes())

    def prefix(self) -> list[str]:
        """The words before a command: it runs in the layer's tree, whose /tmp is this machine's."""
        mounts = 'for each in tmp dev proc; do mount --bind "/$each" "$0/$each" || exit 1; done'
        return ["unshare", "-m", "sh", "-c", f'{mounts}; exec chroot "$0" "$@"', str(self.deployment)]


@pytest.fixture(scope="module")
def layer_s_ostree(compared: Compared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LayerOstree]:
    shared = tmp_path_factory.mktemp("layer-ostree")
    if Path("/tmp") not in shared.parents:
        pytest.skip("the tests' folder is not below /tmp, which the layer's ostree sees")
    yield LayerOstree(compared.deployment, shared)


@pytest.mark.parametrize("variant", [1, 2, 3])
def test_hostile_commits_by_the_layer_s_ostree(variant: int, layer_s_ostree: LayerOstree) -> None:
    folder = layer_s_ostree.shared / str(variant)
    folder.mkdir()
    check(folder, hostile_tree(folder / "tree", variant), layer_s_ostree.rules, layer_s_ostree.prefix())


@pytest.mark.matrix
@pytest.mark.parametrize("enabled", ["", "yes", "no"])
@pytest.mark.parametrize("variant", [1, 2, 3])
def test_hostile_commits_by_an_ostree_that_has_composefs(variant: int, enabled: str, tmp_path: Path) -> None:
    """Debian's newest ostree, which writes `.ostree.cfs` whatever the layer says."""
    require()
    sid = ostree_program("sid")
    if reason := sid.why_not():
        pytest.skip(reason)
    rules = rules_of(sid.content("ostree"))
    assert rules.writes_composefs(enabled)
    tree = hostile_tree(tmp_path / "tree", variant)
    # Whiteouts of layers within the commit are left to the appliance where there is a composefs image.
    for path in [*tree.rglob(".ostree-wh.*")]:
        path.unlink()
    if enabled:
        (tree / "usr/lib/ostree").mkdir(exist_ok=True)
        (tree / "usr/lib/ostree/prepare-root.conf").write_text(f"[composefs]\nenabled={enabled}\n")
    check(tmp_path, tree, rules, ["env", f"PATH={sid.folder()}:{os.environ['PATH']}"])
    assert [*tmp_path.glob("sysroot/ostree/deploy/*/deploy/*.0/.ostree.cfs")]


def check(folder: Path, tree: Path, rules: OstreeRules, prefix: Sequence[str] = ()) -> None:
    """Deploy a tree by ostree, with `prefix` before its commands, and lay it out: both are equal."""
    committed = commit(tree, folder / "repo")
    deploy(committed, folder / "sysroot", CONFIG, prefix=prefix)
    try:
        root, boot = partitions(facts_of_folder(folder / "sysroot"))
    finally:
        removable(folder / "sysroot")
    system = committed.laid_out(rules, recipe())
    assert differences(root, facts_of_entries(system.root)) == []
    assert differences(*kept_aside(boot, facts_of_entries(system.boot))) == []


NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=40
)
LEAVES = st.one_of(
    st.binary(max_size=20),
    st.text(st.characters(min_codepoint=33, max_codepoint=900), min_size=1, max_size=60),
)
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4), lambda t: st.dictionaries(NAMES, t, max_size=4)
)
MODES = st.integers(0, 0o7777)


def grow(path: Path, tree: dict[str, object], modes: Iterator[int]) -> None:
    """Bytes are files, texts are symlinks."""
    for name, what in tree.items():
        if name in (".", "..") or name.startswith(".ostree-wh.") or len(name.encode()) > 255:
            continue
        inner = path / name
        if isinstance(what, dict):
            inner.mkdir()
            grow(inner, what, modes)
            inner.chmod(next(modes) | stat.S_IRWXU)
        elif isinstance(what, bytes):
            inner.write_bytes(what)
            inner.chmod(next(modes))
        else:
            inner.symlink_to(str(what))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(etc=TREES, share=TREES, var=TREES, modes=st.lists(MODES, min_size=1, max_size=5))
@example(etc={"l": "a//b"}, share={"l": "./a/."}, var={"l": "0/"}, modes=[0o644])
def test_random_trees_by_this_machine_s_ostree(
    etc: dict[str, object], share: dict[str, object], var: dict[str, object], modes: list[int], tmp_path: Path
) -> None:
    require()
    shutil.rmtree(tmp_path, ignore_errors=True)
    tree = tmp_path / "tree"
    (tree / KERNEL).mkdir(parents=True)
    for name in ("vmlinuz", "initramfs.img"):
        (tree / KERNEL / name).write_text(name)
    (tree / "usr/lib/os-release").write_text("ID=x\n")
    endless = (modes[number % len(modes)] for number in range(1 << 20))
    for path, content in (("usr/etc", etc), ("usr/share", share), ("var", var)):
        (tree / path).mkdir()
        grow(tree / path, content, endless)
    check(tmp_path, tree, own_rules())
