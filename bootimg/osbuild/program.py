"""The program `osbuild`: where it is, whether it can run here, and what it thinks of a manifest."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from bootimg import process
from bootimg.errors import BootimgError, ExitCode

# The first version that accepts the recipes: older ones lack mkfs.xfs's option agcount.
MINIMUM = (165,)
PACKAGES = "osbuild osbuild-ostree"
BESIDE = {"podman": "podman (apt, dnf)", "skopeo": "skopeo (apt, dnf)"}
"""Programs that its stages run on this machine: the tree to build in is the layer, mounted by podman."""
_HINT = "run it as root of a machine or of a privileged container, or use --builder guestfs"


def require_osbuild() -> Path:
    """Where osbuild is: osbuild-missing, program-too-old, or osbuild-needs-root where it cannot run.

    `program-missing` where one is that its stages need.
    """
    program = process.find("osbuild")
    if program is None:
        raise BootimgError(
            "osbuild-missing",
            "osbuild is not installed",
            note="Fedora, CentOS Stream and RHEL have it; Debian and Ubuntu do not",
            hint=f"`dnf install {PACKAGES}`, or use --builder guestfs, which needs no root either",
            exit_code=ExitCode.ENVIRONMENT,
        )
    _check_version(program)
    if os.geteuid() != 0:
        raise BootimgError(
            "osbuild-needs-root",
            "osbuild cannot make disks for an ordinary user",
            note="its stages attach loop devices, mount file systems and run in namespaces of the machine",
            hint=_HINT,
            exit_code=ExitCode.ENVIRONMENT,
        )
    for name, packages in BESIDE.items():
        process.require(name, packages=f"{packages}, or use --builder guestfs")
    return program


def parse_version(text: str) -> tuple[int, ...]:
    """The number in what osbuild says of itself; () where there is none."""
    found = re.search(r"\d+", text)
    return (int(found[0]),) if found else ()


def _check_version(program: Path) -> None:
    said = process.run([program, "--version"], timeout=60).stdout.decode(errors="replace").strip()
    if parse_version(said) < MINIMUM:
        raise BootimgError(
            "program-too-old",
            f"osbuild {MINIMUM[0]} or newer is needed",
            context=[f"{program} says: {said[:100]}"],
            hint=f"install a newer {PACKAGES}, or use --builder guestfs",
            exit_code=ExitCode.ENVIRONMENT,
        )


def inspect(program: Path, manifest: Path) -> None:
    """`osbuild-manifest-refused` where osbuild does not take the manifest; nothing is built yet.

    osbuild holds the manifest against the schema of every stage that this version of it has.
    """
    done = process.run([program, "--inspect", manifest], check=False, timeout=300)
    if done.returncode:
        said = list(_complaints(done.stdout)) or done.stderr.decode(errors="replace").splitlines()
        raise BootimgError(
            "osbuild-manifest-refused",
            "osbuild does not accept the manifest",
            context=[*said[-8:], f"manifest: {manifest}"],
            hint="an older osbuild lacks stages or options: install a newer one, or use --builder guestfs",
        )


def _complaints(stdout: bytes) -> Iterator[str]:
    """What a validation result says, one line an error; osbuild's plain words where it is none."""
    text = stdout.decode(errors="replace")
    try:
        errors = json.loads(text)["errors"]
        for error in errors:
            where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["path"])
            yield f"{where.lstrip('.')}: {error['message']}"[:400]
    except (ValueError, KeyError, TypeError):
        yield from (line[:400] for line in text.splitlines())
