"""The two Containerfiles take the packages from script/lib.sh, and copy all that the wheel is made of."""

from __future__ import annotations

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = {"apt": ROOT / "Containerfile", "dnf": ROOT / "Containerfile.fedora"}
BOTH = pytest.mark.parametrize("path", FILES.values(), ids=FILES)


def copied(path: Path) -> set[str]:
    """What of the project a Containerfile copies into the image."""
    lines = re.findall(r"^COPY ((?!--from)\S.*)$", path.read_text(), re.MULTILINE)
    return {word for line in lines for word in line.split()[:-1]}


def sources() -> set[str]:
    """What pyproject.toml and setup.py make a wheel of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setuptools = project["tool"]["setuptools"]
    roots = setuptools["package-dir"].values()
    return {
        "pyproject.toml",
        "setup.py",
        project["project"]["readme"],
        *project["project"]["license-files"],
        *roots,
    }


@BOTH
def test_all_that_the_wheel_is_made_of_is_copied(path: Path) -> None:
    assert sources() <= copied(path)
    assert all((ROOT / name).exists() for name in copied(path))


@BOTH
def test_what_is_copied_is_sent_to_the_builder(path: Path) -> None:
    rules = [line for line in (ROOT / ".containerignore").read_text().split() if not line.startswith("#")]
    sent = {line.removeprefix("!") for line in rules if line.startswith("!")}
    left_out = [name for name in copied(path) if not any(fnmatch(name, f"{top}*") for top in sent)]
    assert not left_out


def test_the_two_differ_in_nothing_but_their_base() -> None:
    steps = [
        [line for line in path.read_text().splitlines() if not line.startswith(("#", "ARG BASE="))]
        for path in FILES.values()
    ]
    assert steps[0] == steps[1]


@pytest.mark.parametrize("family", FILES)
def test_the_set_that_it_installs_has_what_the_appliance_takes(family: str) -> None:
    text = f"family={family}; . script/lib.sh; packages run"
    listed = subprocess.run(["bash", "-ec", text], cwd=ROOT, capture_output=True, text=True, check=True)
    words = listed.stdout.split()
    for pattern in ("qemu-system-x86*", "python3-*guestfs", "libguestfs-xfs", "skopeo"):
        assert [word for word in words if fnmatch(word, pattern)], pattern
    assert [word for word in words if word.startswith(("linux-image-", "kernel-core"))]


def test_setup_refuses_what_it_does_not_know() -> None:
    done = subprocess.run(["script/container-setup", "all"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 3
    assert "packages|program" in done.stderr
