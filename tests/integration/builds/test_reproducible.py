"""Builds of the same layer from cold caches, as different users with different settings: the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootimg.disk.native import NATIVE_PROGRAMS
from tests.integration.builds.test_unprivileged import MAIN, ROOT, USER, interpreter, user_can
from tests.integration.conftest import Built, Workspace
from tests.support import otherclock

pytestmark = [pytest.mark.real, pytest.mark.matrix]

PLATFORMS = "metal,qemu,vmware"
SETTINGS = {"TZ": "Pacific/Auckland", "LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8",
            "SOURCE_DATE_EPOCH": "99999", "E2FSPROGS_FAKE_TIME": "12345"}  # fmt: skip
WITHOUT_RIGHTS = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--bounding-set=-all",
                  "--inh-caps=-all", "--no-new-privs", "--"]  # fmt: skip
_ROOM = 6 << 30


def digests(document: dict[str, object]) -> dict[str, str]:
    """The SHA-256 of a build's artifacts, by key."""
    build = Path(str(document["path"]))
    listed = json.loads((build / "meta.json").read_bytes())["images"]
    return {key: digest(build / each["path"]) for key, each in listed.items()}


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def first(built: Built, layer: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """This user's artifacts, in a tree of builds of their own."""
    workspace = Workspace(built.workspace.cache, tmp_path_factory.mktemp("reproducible") / "builds")
    done = workspace.bootimg("build", layer, "-p", PLATFORMS, "--json")
    return digests(json.loads(done.stdout))


def other_place() -> Path:
    """Memory, which lists folders in another order than a disk, if it has room; else a disk."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM else Path("/var/tmp")


@pytest.fixture
def home(layer: Path) -> Iterator[Path]:
    """A folder of the other user, with the layer in it."""
    folder = Path(tempfile.mkdtemp(prefix="other-", dir=other_place()))
    for name in ("tmp", "home"):
        (folder / name).mkdir()
    shutil.copyfile(layer, folder / layer.name)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", folder], check=True)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user: needs root")
def test_another_user_with_other_settings_gets_the_same_bytes(
    first: dict[str, str], layer: Path, home: Path
) -> None:
    """From a cold cache, on one CPU, with one job, without any capability; the bootloader is made too."""
    python, packages = interpreter(), sysconfig.get_path("purelib")
    if not user_can("test", "-r", f"{packages}/click/__init__.py", "-a", "-r", ROOT / "bootimg/__main__.py"):
        pytest.skip(f"the program's files are not readable by user {USER}")
    if reason := otherclock.why_not():
        pytest.skip(reason)
    clock = otherclock.other_clock(home, os.environ["PATH"], NATIVE_PROGRAMS)
    env = {**clock, "HOME": f"{home}/home", "TMPDIR": f"{home}/tmp", **SETTINGS}
    if backend := os.environ.get("LIBGUESTFS_BACKEND"):
        env["LIBGUESTFS_BACKEND"] = backend
    argv = [*WITHOUT_RIGHTS, "env", "-i", *(f"{name}={value}" for name, value in env.items())]
    argv += ["taskset", "-c", str(min(os.sched_getaffinity(0))), str(python), "-c", MAIN, packages]
    argv += ["build", f"{home}/{layer.name}", "-p", PLATFORMS, "-j", "1", "--accel", "tcg", "--json"]
    argv += ["--cache", f"{home}/cache", "-o", f"{home}/builds"]
    script = f"umask 077; cd {shlex.quote(str(home))}; exec {shlex.join(argv)}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert digests(json.loads(done.stdout)) == first


def test_a_build_is_made_again_from_its_archive(built: Built) -> None:
    done = built.workspace.bootimg("verify", built.path, "--rebuild", "--json")
    document = json.loads(done.stdout)
    assert document["rebuilt"] == [{"key": "qemu", "compared": "file", "equal": True}]
    assert document["good"] is True
