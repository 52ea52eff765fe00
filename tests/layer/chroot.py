"""Working in a tree as its root: programs in a chroot, files laid over it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def copy_over(root: Path, source: Path) -> None:
    """Lay our own files over the tree; a checkout's modes are only good for the executable bit."""
    for path in sorted(source.rglob("*")):
        target = root / path.relative_to(source)
        if path.is_dir() and not path.is_symlink():
            target.mkdir(exist_ok=True)
            continue
        target.unlink(missing_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)
        if not target.is_symlink():
            target.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def debian_version(root: Path, package: str) -> str:
    """The version of a Debian package of the tree, without its epoch."""
    shown = chroot(root, "dpkg-query", "--show", "--showformat=${Version}", package)
    return shown.decode().rpartition(":")[2]


@contextmanager
def chroot_mounts(root: Path) -> Iterator[None]:
    """The file systems that programs expect, while the body runs; the namespace ends with us anyway."""
    mounts = (("--types=proc", "proc", "proc"), ("--rbind", "/dev", "dev"), ("--rbind", "/sys", "sys"))
    for how, source, target in mounts:
        run("mount", how, source, root / target)
    try:
        yield
    finally:
        for _, _, target in reversed(mounts):
            # Detached as a whole: in a user namespace what is mounted below cannot be taken off by itself.
            run("umount", "--lazy", root / target)


def chroot(root: Path, *argv: str) -> bytes:
    """Run a program of the tree; returns its stdout."""
    return run("chroot", root, *argv)


def run(*argv: str | Path) -> bytes:
    """Run a program; ends the process with the last lines of its output where it fails."""
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode:
        tail = (done.stdout + done.stderr).decode(errors="replace").splitlines()[-20:]
        raise SystemExit("\n".join([f"{argv[0]} … exited with {done.returncode}", *tail]))
    return done.stdout
