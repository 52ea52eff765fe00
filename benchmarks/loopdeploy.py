"""A disk with a deployment by this machine's own kernel, as root: loop mounts, mkfs, ostree.

It has the partitions and kernel arguments of a base disk, and the commit comes from the same repository.
Left out, in its favour: the ESP, the bootloader, SELinux labels, checks of the file systems, a digest.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.elapsed import Elapsed, measured_settled
from bootimg import process
from bootimg.atomic import sync
from bootimg.disk.gpt import Gpt, write_gpt

_PROGRAMS = ("ostree", "losetup", "mount", "umount", "mkfs.xfs", "mkfs.ext4")
_STATEROOT = "rhcos"
_BOOT, _ROOT = 3, 4


def why_not() -> str | None:
    """Why it cannot run here, or None."""
    if os.geteuid() != 0:
        return "it mounts file systems, which needs root"
    lacking = [name for name in _PROGRAMS if process.find(name) is None]
    return f"{', '.join(lacking)} not installed" if lacking else None


@dataclass(frozen=True)
class LoopDeploy:
    """Deploys the commit `commit` of `repo` to a disk with `gpt`'s partitions, below `folder`."""

    repo: Path
    commit: str
    gpt: Gpt
    folder: Path

    def make(self) -> Elapsed:
        """The time for making the disk durably; the disk is deleted afterwards."""
        self.folder.mkdir(exist_ok=True)
        disk = self.folder / "disk.raw"
        with measured_settled() as elapsed:
            write_gpt(disk, self.gpt)
            self._fill(disk)
            sync(disk)
        disk.unlink()
        return elapsed

    def _fill(self, disk: Path) -> None:
        with ExitStack() as stack:
            root = stack.enter_context(self._filesystem(disk, _ROOT, "mkfs.xfs", "-q"))
            (root / "boot").mkdir()
            stack.enter_context(self._filesystem(disk, _BOOT, "mkfs.ext4", "-q", at=root / "boot"))
            _run("ostree", "admin", "init-fs", "--modern", root)
            _run("ostree", "admin", "os-init", _STATEROOT, f"--sysroot={root}")
            repo = root / "ostree/repo"
            _run("ostree", f"--repo={repo}", "config", "set", "sysroot.bootloader", "none")
            _run("ostree", f"--repo={repo}", "pull-local", "--disable-fsync", self.repo, self.commit)
            _run("ostree", "admin", "deploy", f"--sysroot={root}", f"--os={_STATEROOT}", self.commit)

    @contextmanager
    def _filesystem(self, disk: Path, number: int, *mkfs: str, at: Path | None = None) -> Iterator[Path]:
        """A file system in a partition of the disk, mounted."""
        offset, size = self.gpt.span(number)
        where = ["-o", str(offset), "--sizelimit", str(size), "-b", str(self.gpt.sector_size)]
        device = _run("losetup", "--show", "-f", *where, disk).strip()
        with ExitStack() as stack:
            stack.callback(_run, "losetup", "-d", device)
            _run(*mkfs, device)
            point = at or self.folder / "mounted"
            point.mkdir(exist_ok=True)
            _run("mount", device, point)
            stack.callback(_run, "umount", point)
            yield point


def _run(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
