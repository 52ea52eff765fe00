"""A file system that gets full at each step of a real build; with room again the same command succeeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.builds.test_resume import (
    BY_APPLIANCE,
    again,
    assert_clean,
    assert_same,
    copy,
    forget,
)
from tests.integration.conftest import Built, Workspace
from tests.integration.hostile.test_bad_input import Mount, diagnostic, mounted

pytestmark = [
    pytest.mark.real,
    pytest.mark.matrix,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts things on this machine: needs root"),
]
__all__ = ["copy", "mounted"]

MIB, GIB = 1 << 20, 1 << 30
FILLER = ".filler"
# A program whose disk gets full as it calls a function of its own: `fill` comes first.
FILLING = """
import importlib, sys
from pathlib import Path
from bootimg.__main__ import main
from tests.integration.builds.test_full_disk import fill
module, owner, name, folder, leave = sys.argv[1:6]
del sys.argv[1:6]
target = getattr(importlib.import_module(module), owner) if owner else importlib.import_module(module)
inner = getattr(target, name)
def full(*words, **options):
    fill(Path(folder), int(leave))
    return inner(*words, **options)
setattr(target, name, full)
sys.exit(main())
"""


def fill(folder: Path, leave: int) -> None:
    """Take what is free on the file system but `leave` bytes; a second call does nothing."""
    filler = folder / FILLER
    if filler.exists():
        return
    with filler.open("wb", buffering=0) as handle:
        status = os.statvfs(folder)
        os.posix_fallocate(handle.fileno(), 0, max(status.f_bavail * status.f_frsize - leave - MIB, 4096))
        try:
            while os.statvfs(folder).f_bavail * status.f_frsize > leave:
                handle.seek(0, os.SEEK_END)
                handle.write(bytes(4096))
        except OSError:
            return


def free(folder: Path) -> None:
    (folder / FILLER).unlink()


def build(
    workspace: Workspace, layer: Path, *before: str, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, *(before or ("-m", "bootimg")), "build", str(layer), "-p", "qemu", *options]
    argv += ["--accel", "tcg", "--json", "--cache", str(workspace.cache), "-o", str(workspace.builds)]
    env = {**os.environ, "TMPDIR": str(workspace.temporary)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=1800)


def assert_no_space(
    workspace: Workspace, done: subprocess.CompletedProcess[str], where: Path, *mounts: Path
) -> None:
    """It says so, with the place, and what is there is whole: what meta.json names, and nothing else."""
    error = diagnostic(done.stderr)
    assert error.startswith("error: no-space-left\n"), done.stderr
    assert str(where) in error
    assert (done.returncode, done.stdout) == (1, "")
    assert_clean(workspace, *(mounts or [where]))
    assert not (workspace.builds / "builds.json").exists()
    for folder in workspace.builds.glob("*/*/"):
        meta = folder / "meta.json"
        images = json.loads(meta.read_bytes()).get("images", {}) if meta.exists() else {}
        for entry in images.values():
            assert (folder / entry["path"]).stat().st_size == entry["size"]


IN_THE_CACHE = {
    "fetch": ("blobs", ("blobs", "tars", "index")),
    "layers": ("tars", ("tars", "index")),
    "import": ("repo", ("repo", "imports", "checksums", "labels")),
    "import's record": ("imports", ("imports",)),
    "index": ("index", ("tars", "index")),
}


@pytest.mark.parametrize("case", IN_THE_CACHE)
def test_the_cache_gets_full(copy: Workspace, layer: Path, built: Built, mounted: Mount, case: str) -> None:
    folder, lost = IN_THE_CACHE[case]
    forget(copy, *lost)
    where = mounted(copy.cache / folder, 4 * GIB)
    fill(where, 4 * MIB if case in ("fetch", "layers", "import") else 0)
    assert_no_space(copy, build(copy, layer), where)
    free(where)
    assert_same(again(copy, layer, interrupted=None), built)
    assert_clean(copy, where)


WHEN = {
    "the journal": ("bootimg.orchestrator.journal", "Journal", "record", 0),
    "meta.json": ("bootimg.builds.meta", "MetaFile", "merge", 0),
    "archive": ("bootimg.orchestrator.targets.archive", "", "write_ociarchive", 4 * MIB),
    "SBOM": ("bootimg.orchestrator.targets.layersbom", "", "_write", 0),
    "boot partition": ("bootimg.orchestrator.targets.image", "", "make_image", 4096),
    "image": ("bootimg.formats.packagers", "", "write", 96 * MIB),
    "builds.json": ("bootimg.builds.folder", "", "insert_build", 0),
}


@pytest.mark.parametrize("case", WHEN)
def test_the_builds_get_full(copy: Workspace, layer: Path, built: Built, mounted: Mount, case: str) -> None:
    module, owner, name, leave = WHEN[case]
    where = mounted(copy.builds, 4 * GIB)
    done = build(copy, layer, "-c", FILLING, module, owner, name, str(where), str(leave))
    assert_no_space(copy, done, where)
    free(where)
    assert_same(again(copy, layer, interrupted=None), built)
    assert_clean(copy, where)


NATIVELY = {
    "the first file system": ("bootimg.disk.native.base", "", "make_esp", 64 << 10),
    "/boot": ("bootimg.disk.native.base", "", "fill_ext4", 4 * MIB),
    "the root": ("bootimg.disk.xfs.fill", "", "Writer", 160 * MIB),
    "the check of the root": ("bootimg.disk.native.base", "", "check_xfs", 64 << 10),
    "the seal": ("bootimg.orchestrator.basedisk", "", "write_whole", 0),
}


@pytest.mark.parametrize("case", NATIVELY)
def test_the_native_disk_s_place_gets_full(
    copy: Workspace, layer: Path, built: Built, mounted: Mount, case: str
) -> None:
    """The disk is written in the folder of base disks; nothing of it stays, and with room it is the same."""
    module, owner, name, leave = NATIVELY[case]
    forget(copy, "bases")
    where = mounted(copy.cache / "bases", 4 * GIB)
    done = build(copy, layer, "-c", FILLING, module, owner, name, str(where), str(leave))
    assert_no_space(copy, done, where)
    assert [each.name for each in where.iterdir() if each.is_dir()] == []
    free(where)
    found = again(copy, layer, interrupted=None)
    assert_same(found, built)
    assert_clean(copy, where)
    assert subprocess.run(["cmp", found.base, built.base]).returncode == 0


def test_the_appliance_s_disk_s_place_gets_full(
    copy: Workspace, layer: Path, built: Built, mounted: Mount
) -> None:
    """At the tool tree, at the commit's image and in the virtual machine; then there is room."""
    forget(copy, "bases", "tooltrees")
    places = [mounted(copy.cache / name, 6 * GIB) for name in ("tooltrees", "bases")]

    def fails(where: Path, leave: int) -> None:
        fill(where, leave)
        assert_no_space(copy, build(copy, layer, options=BY_APPLIANCE), where, *places)
        assert not list(copy.cache.glob("bases/[!.]*"))
        free(where)

    fails(places[0], 4 * MIB)
    fails(places[1], 4 * MIB)
    tools = sum(path.stat().st_size for path in copy.cache.glob("tooltrees/*"))
    fails(places[1], tools + 260 * MIB)
    found = again(copy, layer, *BY_APPLIANCE, interrupted=None)
    assert_clean(copy, *places)
    assert found.meta["ostree-commit"] == built.meta["ostree-commit"]
    assert found.meta["images"]["ostree"] == built.meta["images"]["ostree"]
    subprocess.run(["qemu-img", "check", found.artifact("qemu")], check=True)
