"""The two Containerfiles take the packages from script/lib.sh, and copy all that the wheel is made of.

What they take from elsewhere is fixed: Python packages by digests, and the base by one that a build can give.
"""

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
        [
            line
            for line in path.read_text().splitlines()
            if not line.startswith(("#", "ARG BASE=", "ARG BASE_DIGEST="))
        ]
        for path in FILES.values()
    ]
    assert steps[0] == steps[1]


@BOTH
def test_the_base_has_a_tag_and_beside_it_its_digest(path: Path) -> None:
    text = path.read_text()
    (base,) = re.findall(r"^ARG BASE=(.*)$", text, re.MULTILINE)
    assert re.fullmatch(r"[a-z0-9.]+/[a-z/]+:[a-z0-9-]+", base)
    (digest,) = re.findall(r"^ARG BASE_DIGEST=(.*)$", text, re.MULTILINE)
    assert re.fullmatch(r"(sha256:[0-9a-f]{64})?", digest)
    first, *others = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert first == "${BASE}${BASE_DIGEST:+@}${BASE_DIGEST}"
    assert set(others) == {"system"}


def test_a_digest_that_is_given_becomes_part_of_the_base() -> None:
    """The words of FROM, as a shell expands them; builders have the same rule."""
    text = FILES["apt"].read_text()
    (base,) = re.findall(r"^FROM (\S+) AS system$", text, re.MULTILINE)
    for digest, wanted in (("", "r.io/os:1"), ("sha256:ab", "r.io/os:1@sha256:ab")):
        words = f'BASE=r.io/os:1 BASE_DIGEST={digest}; echo "{base}"'
        assert subprocess.run(["sh", "-ec", words], capture_output=True, text=True).stdout == f"{wanted}\n"


@pytest.mark.parametrize("part", ["build", "run"])
def test_python_packages_are_those_of_a_lock_with_digests(tmp_path: Path, part: str) -> None:
    """The function that installs them gives pip these words, and is all that installs from an index."""
    pip = tmp_path / "pip"
    pip.write_text('#!/bin/sh\necho "$@" >&2\n')
    pip.chmod(0o755)
    words = f". script/lib.sh; install_locked {pip} {part}"
    done = subprocess.run(["bash", "-ec", words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"--no-deps", "--require-hashes", "-r", f"requirements/{part}.txt"} <= set(done.stderr.split())
    lock = (ROOT / f"requirements/{part}.txt").read_text().replace("\\\n", " ")
    packages = [line for line in lock.splitlines() if line and not line.startswith("#")]
    assert packages
    assert all(re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in packages)
    setup = (ROOT / "script/container-setup").read_text()
    assert re.search(rf'install_locked \S+/pip (?:{part}|"\$\{{\w+:-{part}\}}")$', setup, re.MULTILINE)
    others = [line for line in setup.splitlines() if re.search(r"pip (install|wheel|download) ", line)]
    assert all("--no-deps" in line for line in others)


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
