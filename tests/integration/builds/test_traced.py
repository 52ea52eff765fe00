"""Every program that a build starts, as the kernel sees it: none is the layer's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from bootimg import process
from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.doctor.requirements import TOOLS
from tests.integration.conftest import Workspace
from tests.support.layers.smalllayer import small_layer
from tests.unit.disk.test_native_base import require_native

_STARTED = re.compile(r'^execve(?:at)?\((?:AT_FDCWD, |\d+, )?"((?:[^"\\]|\\.)*)".*\) = 0$')
OWN = {"/usr/bin/python3", "sh", "setpriv", "prlimit"}
"""Those that docs/native.md names beside what doctor lists: workers, and what ties and limits programs."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "cache", tmp_path / "builds")


def require_strace() -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    done = subprocess.run([strace, "-f", "-e", "trace=execve", "true"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"processes cannot be traced here: {done.stderr.decode().strip()[-200:]}")


def started(workspace: Workspace, folder: Path, words: Sequence[str | Path]) -> list[Path]:
    """The resolved paths of all programs that `bootimg` with these arguments starts, one for each start."""
    folder.mkdir()
    argv: list[str | Path] = ["strace", "-ff", "-qq", "-s", "4096", "-e", "trace=execve,execveat"]
    argv += ["-o", folder / "trace", sys.executable, "-m", "bootimg", *words]
    env = {"BOOTIMG_CACHE": str(workspace.cache), "BOOTIMG_BUILDS": str(workspace.builds)}
    done = subprocess.run(argv, env=os.environ | env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    lines = [line for trace in sorted(folder.iterdir()) for line in trace.read_text().splitlines()]
    found = [match[1] for line in lines if (match := _STARTED.match(line))]
    # An empty path stands for an open file: nothing here starts one.
    assert all(found)
    return [Path(path).resolve() for path in found]


def layers_own(programs: Sequence[Path], workspace: Workspace) -> list[Path]:
    """Those in the folders that the layer's files are in: the cache and the build."""
    folders = (workspace.cache, workspace.builds)
    return [path for path in programs if any(path.is_relative_to(each.resolve()) for each in folders)]


def shown(programs: Sequence[Path]) -> str:
    return "".join(f"{programs.count(path):5} {path}\n" for path in sorted(set(programs)))


def test_a_build_starts_only_the_programs_that_the_documentation_names(
    workspace: Workspace, tmp_path: Path
) -> None:
    require_native()
    require_strace()
    archive = small_layer(tmp_path / "layer")
    words: list[str | Path] = ["build", archive, "-p", "metal,metal4k,qemu,vmware,azure,gcp", "--json"]
    programs = started(workspace, tmp_path / "traces", words)
    print(shown(programs))
    assert layers_own(programs, workspace) == []
    listed = {tool.name for tool in TOOLS}
    known = resolved({*NATIVE_PROGRAMS, *OWN, *listed}) | {Path(sys.executable).resolve()}
    assert set(programs) - known == set()
    assert resolved(NATIVE_PROGRAMS) <= set(programs)


def resolved(names: Iterable[str]) -> set[Path]:
    """The programs of these names that this machine has, with links followed: mcopy and mmd are mtools."""
    return {path.resolve() for name in names if (path := process.find(name))}


@pytest.mark.real
@pytest.mark.matrix
def test_the_first_build_starts_no_program_of_the_layer(
    workspace: Workspace, layer: Path, tmp_path: Path
) -> None:
    """Nor does it start the appliance: bootimg writes the bootloader."""
    require_strace()
    programs = started(workspace, tmp_path / "traces", ["build", layer, "-p", "qemu", "--json"])
    print(shown(programs))
    assert layers_own(programs, workspace) == []
    assert not [path for path in programs if "grub" in path.name]
    assert not [path for path in programs if path.name in ("supermin", "mksquashfs", "sqfstar")]
    assert not [*(workspace.cache / "logs").glob("appliance-*")]
    record = json.loads((workspace.builds / "latest/x86_64/bootimg.json").read_bytes())
    assert record["made"]["qemu"]["deploy"] == "native"
