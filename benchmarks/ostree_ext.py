"""The native import of an image, ostree-ext's `ostree container image`, on a scratch sysroot.

As on a machine that is being installed, the sysroot's repository is a bare one, with real owners, which needs
root.  libostree makes its files durable, here as in our import.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.elapsed import Elapsed, measured_settled
from bootimg import process
from tests.layer import tools

_STATEROOT = "rhcos"


def why_not() -> str | None:
    """Why the native import cannot run here, or None."""
    if os.geteuid() != 0:
        return "ostree's sysroots have real owners, which needs root"
    lacking = [name for name in ("ostree", "skopeo", "chattr") if process.find(name) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed"
    return tools.why_not(tools.OSTREE_EXT)


def deploy(archive: Path, folder: Path) -> Elapsed:
    """The time for fetch, import and checkout of an OCI archive on an empty sysroot below `folder`."""
    with _sysroot(folder) as sysroot:
        return _timed(
            "deploy", f"--sysroot={sysroot}", f"--stateroot={_STATEROOT}", f"--imgref={_imgref(archive)}"
        )


def pull(archive: Path, folder: Path) -> Elapsed:
    """The time for fetch and import alone."""
    with _sysroot(folder) as sysroot:
        return _timed("pull", "--quiet", str(sysroot / "ostree/repo"), _imgref(archive))


def _imgref(archive: Path) -> str:
    return f"ostree-unverified-image:oci-archive:{archive}"


def _timed(*words: str) -> Elapsed:
    program = tools.program(tools.OSTREE_EXT)
    with measured_settled() as elapsed:
        _run(program, "container", "image", *words)
    return elapsed


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, capture_output=True)


@contextmanager
def _sysroot(folder: Path) -> Iterator[Path]:
    path = folder / "sysroot"
    (path / "boot").mkdir(parents=True)
    try:
        _run("ostree", "admin", "init-fs", "--modern", path)
        _run("ostree", "admin", "os-init", _STATEROOT, f"--sysroot={path}")
        yield path
    finally:
        # ostree sets the immutable flag on the root of a deployment: root cannot delete it either.
        for deployment in path.glob("ostree/deploy/*/deploy/*/"):
            _run("chattr", "-i", deployment)
        shutil.rmtree(path)
