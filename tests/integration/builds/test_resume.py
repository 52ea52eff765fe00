"""Builds that are cut off: the same command goes on, to the same result, and nothing is left behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bootimg.orchestrator.basedisk import seal_digest
from tests.integration.builds.test_disk import loop
from tests.integration.conftest import Built, Workspace
from tests.support.layers.links import target_of

pytestmark = [pytest.mark.real, pytest.mark.matrix]

Event = dict[str, Any]
Record = tuple[str, str]
KILLED = """
import os, signal, sys
from bootimg.__main__ import main
from bootimg.orchestrator.journal import Journal
wanted = sys.argv[1:3]
del sys.argv[1:3]
write = Journal.record
def record(self, step, state, **facts):
    write(self, step, state, **facts)
    if [step, state] == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
Journal.record = record
sys.exit(main())
"""

# A signal in the middle of the root file system: before the inode of that number is written.
FILLING = """
import os, sys
from itertools import count
from bootimg.__main__ import main
from bootimg.disk.xfs.writer import Writer
number, middle = map(int, sys.argv[1:3])
del sys.argv[1:3]
write, inodes = Writer.write, count()
def counted(self, inode):
    if next(inodes) == middle:
        os.kill(os.getpid(), number)
    write(self, inode)
Writer.write = counted
sys.exit(main())
"""
MIDDLE = 9000
BY_APPLIANCE = ("--deploy", "appliance")


@pytest.fixture
def copy(built: Built, tmp_path: Path) -> Iterator[Workspace]:
    """The built workspace's cache, and no builds yet."""
    subprocess.run(["cp", "-al", built.workspace.cache, tmp_path / "cache"], check=True)
    with short_temporary(tmp_path):
        yield Workspace(tmp_path / "cache", tmp_path / "builds")


@contextmanager
def short_temporary(root: Path) -> Iterator[None]:
    """The folder for temporary files of a workspace: a short path, or the appliance's are elsewhere."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        (root / "tmp").symlink_to(folder)
        yield


def forget(workspace: Workspace, *folders: str) -> None:
    for name in folders:
        shutil.rmtree(workspace.cache / name, ignore_errors=True)


class Run:
    """A build in the background, of which the events are read."""

    def __init__(self, workspace: Workspace, layer: Path, *options: str) -> None:
        argv = [sys.executable, "-m", "bootimg", "build", str(layer), "-p", "qemu", "--accel", "tcg"]
        argv += [*options, "--events", "ndjson", "--cache", str(workspace.cache), "-o", str(workspace.builds)]
        self.temporary = workspace.temporary
        env = {**os.environ, "TMPDIR": str(self.temporary)}
        self.child = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def events(self) -> Iterator[Event]:
        assert self.child.stderr
        for line in self.child.stderr:
            yield json.loads(line)

    def until(self, event: str, step: str) -> None:
        """Read events up to that one."""
        seen = []
        for found in self.events():
            seen.append(found)
            if (found["event"], found.get("step")) == (event, step):
                return
        pytest.fail(f"it ended before {event} of {step}: {seen[-5:]}")

    def stop(self, number: signal.Signals) -> int:
        assert self.child.poll() is None
        self.child.send_signal(number)
        return self.child.wait(timeout=20)


@contextmanager
def running(workspace: Workspace, layer: Path, *options: str) -> Iterator[Run]:
    run = Run(workspace, layer, *options)
    try:
        yield run
    finally:
        run.child.kill()
        run.child.wait()
        for pipe in (run.child.stdout, run.child.stderr):
            if pipe:
                pipe.close()


def wait_for(what: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes(workspace: Workspace) -> list[str]:
    """Command lines of processes, other than this one's, that name the workspace."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(workspace.cache.parent) in words and path.parent.name != str(os.getpid()):
            found.append(words)
    return found


def left_running(workspace: Workspace) -> Callable[[], bool]:
    return lambda: not processes(workspace)


def assert_clean(workspace: Workspace, *mounts: Path) -> None:
    """No process, no mount but the test's own, no temporary file of it is left."""
    root = workspace.cache.parent
    wait_for(left_running(workspace), 20)
    lines = Path("/proc/mounts").read_text().splitlines()
    assert {line.split()[1] for line in lines if str(root) in line} == set(map(str, mounts))
    wait_for(lambda: not any(workspace.temporary.iterdir()), 5)
    tops = (workspace.cache, workspace.builds)
    partial = [path for top in tops for path in top.rglob("*") if "partial" in path.name]
    assert not partial
    assert not [*workspace.builds.rglob(".scratch"), *workspace.builds.rglob("*|*")]
    assert not [*workspace.cache.glob("tmp/*"), *workspace.cache.glob("repo-image-*")]
    assert not list(workspace.cache.glob("repo/tmp/staging-*/*"))


def scripted(
    workspace: Workspace, layer: Path, script: str, *words: str, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """A build by a script that changes the program first, with the script's own words."""
    argv = [sys.executable, "-c", script, *words, "build", str(layer), "-p", "qemu", "--accel", "tcg"]
    argv += [*options, "--cache", str(workspace.cache), "-o", str(workspace.builds)]
    env = {**os.environ, "TMPDIR": str(workspace.temporary)}
    return subprocess.run(argv, env=env, capture_output=True, text=True)


def killed_after(workspace: Workspace, layer: Path, record: Record, *options: str) -> None:
    """A build that kill -9 ends as soon as it has written this record to its journal."""
    done = scripted(workspace, layer, KILLED, *record, options=options)
    assert done.returncode == -signal.SIGKILL, done.stderr


def again(workspace: Workspace, layer: Path, *options: str, interrupted: bool | None = True) -> Built:
    """The build goes on, and says whether one was cut off; None where that depends on the room for a line."""
    done = workspace.bootimg(
        "build", layer, "-p", "qemu", "--accel", "tcg", "--json", *options, TMPDIR=str(workspace.temporary)
    )
    told = b"an earlier run was cut off in the step" in done.stderr
    assert interrupted is None or told == interrupted
    return Built(workspace, json.loads(done.stdout))


def assert_same(found: Built, wanted: Built) -> None:
    """The commit and every file of the build are those of a build that was never cut off."""
    assert found.meta["ostree-commit"] == wanted.meta["ostree-commit"]
    assert found.meta["images"].keys() == wanted.meta["images"].keys()
    for key, entry in wanted.meta["images"].items():
        assert found.meta["images"][key]["sha256"] == entry["sha256"], key
    assert found.document["sbom"]["sha256"] == wanted.document["sbom"]["sha256"]
    qcow2 = found.artifact("qemu")
    assert subprocess.run(["cmp", qcow2, wanted.artifact("qemu")]).returncode == 0


def test_killed_while_importing(copy: Workspace, layer: Path, built: Built) -> None:
    forget(copy, "repo", "imports", "checksums", "labels")
    with running(copy, layer) as run:
        run.until("step-started", "import")
        wait_for(lambda: len(list(copy.cache.glob("repo/tmp/staging-*/*/*"))) > 500, 60)
        run.stop(signal.SIGKILL)
    wait_for(left_running(copy), 20)
    assert not list(copy.cache.glob("repo/refs/heads/**/*.*"))
    found = again(copy, layer)
    assert_same(found, built)
    assert_clean(copy)
    subprocess.run(["ostree", f"--repo={copy.cache}/repo", "fsck", "-q"], check=True)


def test_interrupted_while_importing(copy: Workspace, layer: Path, built: Built) -> None:
    forget(copy, "repo", "imports", "checksums", "labels")
    with running(copy, layer) as run:
        run.until("step-started", "import")
        wait_for(lambda: any(copy.cache.glob("repo/tmp/staging-*/*/*")), 60)
        started = time.monotonic()
        assert run.stop(signal.SIGINT) == 130
        assert time.monotonic() - started < 5
        assert [each["event"] for each in run.events()][-1] == "interrupted"
    wait_for(left_running(copy), 5)
    assert not list(copy.temporary.iterdir())


def test_killed_while_the_qcow2_is_written(copy: Workspace, layer: Path, built: Built) -> None:
    with running(copy, layer) as run:
        run.until("step-progress", "qemu")
        run.stop(signal.SIGKILL)
    build = copy.builds / built.document["build"] / built.document["arch"]
    assert not list(build.glob("*.qcow2"))
    assert "qemu" not in json.loads((build / "meta.json").read_bytes()).get("images", {})
    found = again(copy, layer)
    assert [each["cached"] for each in found.document["artifacts"] if each["key"] == "ostree"] == [True]
    assert_same(found, built)
    assert_clean(copy)


def test_progress_of_the_base_disk_is_in_bytes(copy: Workspace, layer: Path) -> None:
    forget(copy, "bases")
    with running(copy, layer) as run:
        found = [each for each in run.events() if each.get("step") == "filesystems"]
        assert run.child.wait(timeout=20) == 0
    [total] = [each["total"] for each in found if each["event"] == "step-started"]
    done = [each["done"] for each in found if each["event"] == "step-progress"]
    assert total > 300 << 20
    assert done == sorted(done)
    assert len(done) > 3
    assert done[-1] == total


def test_interrupted_while_the_root_is_filled(copy: Workspace, layer: Path) -> None:
    forget(copy, "bases")
    done = scripted(copy, layer, FILLING, str(int(signal.SIGINT)), str(MIDDLE))
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert_clean(copy)
    assert not any((copy.cache / "bases").iterdir())


def test_killed_while_the_root_is_filled(copy: Workspace, layer: Path, built: Built) -> None:
    """The next run removes the unfinished disk and makes the same disk, to the byte."""
    forget(copy, "bases")
    done = scripted(copy, layer, FILLING, str(int(signal.SIGKILL)), str(MIDDLE))
    assert done.returncode == -signal.SIGKILL, done.stderr
    wait_for(left_running(copy), 20)
    [unfinished] = (copy.cache / "bases").iterdir()
    assert any(unfinished.rglob("disk.raw"))
    assert not any(unfinished.rglob("seal.json"))
    found = again(copy, layer)
    assert_same(found, built)
    assert_clean(copy)
    assert subprocess.run(["cmp", found.base, built.base]).returncode == 0


@pytest.mark.matrix
def test_killed_in_the_appliance(copy: Workspace, layer: Path, built: Built, tmp_path: Path) -> None:
    """First ^C while the appliance makes file systems, then kill -9 while it deploys, then at the seal."""
    forget(copy, "bases", "tooltrees")
    with running(copy, layer, *BY_APPLIANCE) as run:
        run.until("step-started", "filesystems")
        started = time.monotonic()
        assert run.stop(signal.SIGINT) == 130
        assert time.monotonic() - started < 5
    assert_clean(copy)
    with running(copy, layer, *BY_APPLIANCE) as run:
        run.until("step-started", "deploy")
        time.sleep(5)
        assert any("qemu-system" in words for words in processes(copy))
        run.stop(signal.SIGKILL)
    wait_for(left_running(copy), 20)
    assert not list(copy.cache.glob("bases/*/seal.json"))
    killed_after(copy, layer, ("base", "done"), *BY_APPLIANCE)
    assert_clean(copy)
    [seal] = copy.cache.glob("bases/*/seal.json")
    sealed = seal.read_bytes()
    found = again(copy, layer, *BY_APPLIANCE, interrupted=False)
    assert_clean(copy)
    assert seal.read_bytes() == sealed
    assert json.loads(sealed)["digest"] == seal_digest(found.base)
    assert found.meta["ostree-commit"] == built.meta["ostree-commit"]
    if os.geteuid() == 0:
        for name in ("EFI-SYSTEM", "boot", "root"):
            theirs, ours = (listing(disk, name, tmp_path) for disk in (found.base, built.base))
            assert without_content(theirs) == without_content(ours), name
    # Once more from the sealed base disk: the same bytes.
    digest = found.meta["images"]["qemu"]["sha256"]
    shutil.rmtree(copy.builds)
    done = copy.bootimg("build", layer, "-p", "qemu", "--accel", "tcg", "--json", *BY_APPLIANCE)
    assert Built(copy, json.loads(done.stdout)).meta["images"]["qemu"]["sha256"] == digest


def without_content(lines: Sequence[str]) -> list[str]:
    """Lines of `listing` without size, content and label, in which the appliance's disk differs from ours."""
    return [line.rsplit(" ", 3)[0] for line in lines]


def listing(disk: Path, partition: str, folder: Path) -> list[str]:
    """Type, mode, owner, links, size, target and label of every file of a partition; small ones' content."""
    mount = folder / "mounted"
    mount.mkdir(exist_ok=True)
    with loop(disk, partition) as device:
        kind = subprocess.run(
            ["blkid", "-p", "-o", "value", "-s", "TYPE", device], capture_output=True, text=True
        )
        if kind.stdout.strip() == "vfat":
            return _fat_listing(device)
        options = {"xfs": "ro,norecovery,nouuid", "ext4": "ro,noload"}.get(kind.stdout.strip(), "ro")
        subprocess.run(["mount", "-o", options, device, mount], check=True)
        try:
            return sorted(
                line for path in [mount, *mount.rglob("*")] for line in [_line(path, mount)] if line
            )
        finally:
            subprocess.run(["umount", mount], check=True)


def _fat_listing(device: str) -> list[str]:
    """The same of FAT, which not every kernel mounts."""
    names = subprocess.run(
        ["mdir", "-/", "-b", "-i", device, "::"], check=True, capture_output=True, text=True
    )
    lines = []
    for name in names.stdout.split():
        content = b""
        if not name.endswith("/"):
            argv = ["mcopy", "-n", "-i", device, name, "-"]
            content = subprocess.run(argv, check=True, capture_output=True).stdout
        lines.append(f"{name} {hashlib.sha256(content).hexdigest()}")
    assert lines
    return sorted(lines)


def _line(path: Path, top: Path) -> str:
    status = path.lstat()
    # Directories grow by the order in which they are filled.
    size = 0 if path.is_dir() else status.st_size
    try:
        label = os.getxattr(path, "security.selinux", follow_symlinks=False).decode()
    except OSError:
        label = ""
    target = target_of(path) if path.is_symlink() else ""
    name = path.relative_to(top)
    links = 1 if path.is_dir() else status.st_nlink
    if stat.S_ISREG(status.st_mode) and size < 65536:
        target = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name} {status.st_mode:o} {status.st_uid}:{status.st_gid} {links} {size} {target} {label}"
