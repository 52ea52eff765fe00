"""The stand-in layer's base disk, written without a kernel, by other programs' and the kernel's judgement."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootimg.disk.xfs.sparse import copy_data
from bootimg.sysroot.entries import Kind
from tests.integration.builds.readback import Table
from tests.integration.builds.test_disk import output
from tests.integration.conftest import Built, Workspace
from tests.integration.layouts.diskfacts import BOOT, ROOT, mounted_partition
from tests.support.layers.ostreedeploy import Facts, facts_of_folder
from tests.support.xfs.xfsfacts import facts_of_xfs
from tests.support.xfs.xfsimages import judge
from tests.support.xfs.xfsmount import mounted
from tests.support.xfs.xfswrite import write_and_grow

pytestmark = [pytest.mark.real, pytest.mark.matrix]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, and be any file's owner")


def test_a_second_cache_gives_the_same_disk_without_the_appliance(
    built: Built, tmp_path: Path, layer: Path
) -> None:
    """The bootloader's products are kept, the disk is made again, by another clock and in another zone."""
    workspace = Workspace(tmp_path / "cache", tmp_path / "builds")
    workspace.cache.mkdir()
    made = built.workspace.cache / "bootloaders"
    subprocess.run(["cp", "-r", made, workspace.cache / "bootloaders"], check=True)
    done = workspace.bootimg("build", layer, "-p", "qemu", "--json", TZ="Pacific/Auckland", LC_ALL="C")
    assert b"appliance" not in done.stderr
    found = Built(workspace, json.loads(done.stdout))
    assert seal(found)["digest"] == seal(built)["digest"]
    assert seal(found)["way"] == "native"


def seal(built: Built) -> dict[str, object]:
    return dict(json.loads(built.base.with_name("seal.json").read_bytes()))


@pytest.fixture
def root(built: Built, tmp_path: Path) -> Path:
    """The base disk's root file system as a file of its own."""
    assert seal(built)["way"] == "native"
    start, size = Table.of(built.base, 512).spans[ROOT]
    image = tmp_path / "root.xfs"
    with built.base.open("rb") as source, image.open("wb") as target:
        target.truncate(size)
        copy_data(source.fileno(), target.fileno(), (start, size), -start)
    return image


@as_root
def test_an_independent_reader_finds_what_the_kernel_finds(root: Path) -> None:
    with mounted(root, "ro", "norecovery", "nouuid") as folder:
        wanted = facts_of_folder(folder)
    found = facts_of_xfs(root)
    assert found.keys() == wanted.keys()
    assert {name: (found[name], wanted[name]) for name in found if found[name] != wanted[name]} == {}


def as_dumped(facts: Facts) -> Facts:
    """What is left of it after rdump.

    It writes a file for each name, and gives symbolic links no attributes.  It sets a file's owner last,
    which takes capabilities and the bits for set-user-ID and set-group-ID away.
    """
    kept = {key: value for key, value in facts.items() if key != "links"}
    if facts["kind"] is Kind.FILE:
        kept["mode"] &= 0o1777
        kept["xattrs"] = {k: v for k, v in facts["xattrs"].items() if k != "security.capability"}
    if facts["kind"] is Kind.SYMLINK:
        kept["xattrs"] = {}
    return kept


@as_root
def test_xfs_db_recovers_what_the_kernel_finds(root: Path, judges: list[Path], tmp_path: Path) -> None:
    # Older versions than sid's have no rdump.
    program = judges[-1].with_name("xfs_db")
    with mounted(root, "nouuid") as folder:
        # rdump cannot write into a directory that it has made immutable.
        [deployment] = folder.glob("ostree/deploy/rhcos/deploy/*.0")
        output("chattr", "-i", deployment)
        wanted = {name: as_dumped(facts) for name, facts in facts_of_folder(folder).items()}
    (tmp_path / "dump").mkdir()
    output(program, "-r", "-c", f"rdump / {tmp_path}/dump", root)
    found = {name: as_dumped(facts) for name, facts in facts_of_folder(tmp_path / "dump").items()}
    assert found.keys() == wanted.keys()
    assert {name: (found[name], wanted[name]) for name in found if found[name] != wanted[name]} == {}


@as_root
def test_the_kernel_writes_and_grows_it(root: Path, judges: list[Path]) -> None:
    judge(root, judges)
    write_and_grow(root, judges)


@as_root
def test_ostree_finds_its_repository_and_its_deployment(built: Built, root: Path, tmp_path: Path) -> None:
    with (
        mounted(root, "nouuid") as folder,
        mounted_partition(built.base, 512, BOOT, tmp_path / "boot") as boot,
        bound(boot, folder / "boot"),
    ):
        output("ostree", "fsck", "--all", f"--repo={folder}/ostree/repo")
        [deployment] = folder.glob("ostree/deploy/rhcos/deploy/*.0")
        status = output("ostree", "admin", "status", f"--sysroot={folder}")
    assert f"rhcos {deployment.name}" in status
    assert f"Version: {built.meta['ostree-version']}" in status


@contextmanager
def bound(source: Path, target: Path) -> Iterator[None]:
    output("mount", "--bind", source, target)
    try:
        yield
    finally:
        output("umount", target)
