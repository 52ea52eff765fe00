"""Two builds at the same time, of different layers, with one cache that is empty when they start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.builds.test_resume import assert_clean, listing, short_temporary
from tests.integration.conftest import Built, Workspace
from tests.layer import stand_in

pytestmark = [pytest.mark.real, pytest.mark.matrix]


@contextmanager
def building(workspace: Workspace, layer: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "bootimg", "build", str(layer), "-p", "qemu", "--accel", "tcg", "--json"]
    argv += ["--cache", str(workspace.cache), "-o", str(workspace.builds)]
    env = {**os.environ, "TMPDIR": str(workspace.temporary)}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            yield child
        finally:
            child.kill()


def alone(folder: Path, layer: Path) -> Built:
    """The layer with a cache of its own, up to its archive: what it is when nothing disturbs it."""
    workspace = Workspace(folder / "cache", folder / "builds")
    done = workspace.bootimg("build", layer, "--until", "archive", "--accel", "tcg", "--json")
    return Built(workspace, json.loads(done.stdout))


def test_two_layers_at_once(built: Built, layer: Path, tmp_path: Path) -> None:
    other = stand_in(variant="changed")
    shared = Workspace(tmp_path / "cache", tmp_path / "builds")
    with ExitStack() as stack:
        stack.enter_context(short_temporary(tmp_path))
        children = [stack.enter_context(building(shared, each)) for each in (layer, other)]
        assert children[0].stderr
        assert children[0].stderr.readline()
        collected = shared.bootimg("cache", "gc", "--all", check=False)
        assert (collected.returncode, b"cache-in-use" in collected.stderr) == (1, True)
        ends = [child.communicate() for child in children]
        assert [child.returncode for child in children] == [0, 0], [error.decode() for _, error in ends]
        assert_clean(shared)
    found = [Built(shared, json.loads(output)) for output, _ in ends]
    for made, wanted in zip(found, (built, alone(tmp_path / "alone", other)), strict=True):
        assert made.document["build"] == wanted.document["build"]
        assert made.meta["ostree-commit"] == wanted.meta["ostree-commit"]
        assert made.meta["images"]["ostree"] == wanted.meta["images"]["ostree"]
        subprocess.run(["qemu-img", "check", made.artifact("qemu")], check=True)
    assert found[0].document["build"] != found[1].document["build"]
    subprocess.run(["ostree", f"--repo={shared.cache}/repo", "fsck", "-q"], check=True)
    assert len(list(shared.cache.glob("bases/*/seal.json"))) == 2
    listed = {each["id"] for each in json.loads((shared.builds / "builds.json").read_bytes())["builds"]}
    assert listed == {each.document["build"] for each in found}
    if os.geteuid() == 0:
        base = base_of(found[0])
        for name in ("EFI-SYSTEM", "boot", "root"):
            assert listing(base, name, tmp_path) == listing(built.base, name, tmp_path), name
    # Each has its own base disk: made again from the shared cache, the images have the same bytes.
    for made, reference in zip(found, (layer, other), strict=True):
        digest = made.meta["images"]["qemu"]["sha256"]
        shared.bootimg("build", reference, "-p", "qemu", "--accel", "tcg", "--force")
        assert made.meta["images"]["qemu"]["sha256"] == digest


def base_of(made: Built) -> Path:
    for seal in made.workspace.cache.glob("bases/*/seal.json"):
        if json.loads(seal.read_bytes())["commit"] == made.meta["ostree-commit"]:
            return seal.with_name("disk.raw")
    raise AssertionError(made.document["build"])
