"""The program `osbuild`: where it is, whether it can run here, and whether it accepts a manifest."""

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
STAGE_PROGRAMS = {"podman": "podman (apt, dnf)", "skopeo": "skopeo (apt, dnf)"}
"""Programs that osbuild's stages run on this machine: podman mounts the layer as the build tree."""
_HINT = "run it as root of a machine or of a privileged container, or use --builder own"


def require_osbuild() -> Path:
    """The path of osbuild; osbuild-missing, program-too-old or osbuild-needs-root if it cannot run.

    `program-missing` if a program that its stages need is missing.
    """
    program = process.find("osbuild")
    if program is None:
        raise BootimgError(
            "osbuild-missing",
            "osbuild is not installed",
            note="Fedora, CentOS Stream and RHEL have it; Debian and Ubuntu do not",
            hint=f"`dnf install {PACKAGES}`, or use --builder own, which needs no root either",
            exit_code=ExitCode.ENVIRONMENT,
        )
    _check_version(program)
    if os.geteuid() != 0:
        raise BootimgError(
            "osbuild-needs-root",
            "osbuild cannot make disks for an ordinary user",
            note="its stages attach loop devices, mount file systems and use namespaces of the machine",
            hint=_HINT,
            exit_code=ExitCode.ENVIRONMENT,
        )
    for name, packages in STAGE_PROGRAMS.items():
        process.require(name, packages=f"{packages}, or use --builder own")
    return program


def parse_version(text: str) -> tuple[int, ...]:
    """The number in osbuild's version text; () if it has none."""
    found = re.search(r"\d+", text)
    return (int(found[0]),) if found else ()


def version_of(program: Path) -> str:
    """The version that osbuild prints; `unknown` if it has no number."""
    return ".".join(map(str, parse_version(_version_text(program)))) or "unknown"


def _version_text(program: Path) -> str:
    return process.run([program, "--version"], timeout=60).stdout.decode(errors="replace").strip()


def _check_version(program: Path) -> None:
    output = _version_text(program)
    if parse_version(output) < MINIMUM:
        raise BootimgError(
            "program-too-old",
            f"osbuild {MINIMUM[0]} or newer is needed",
            context=[f"{program} says: {output[:100]}"],
            hint=f"install a newer {PACKAGES}, or use --builder own",
            exit_code=ExitCode.ENVIRONMENT,
        )


def inspect(program: Path, manifest: Path) -> None:
    """Raise `osbuild-manifest-refused` if osbuild does not accept the manifest; nothing is built yet.

    osbuild checks the manifest against its schema of every stage.
    """
    done = process.run([program, "--inspect", manifest], check=False, timeout=300)
    if done.returncode:
        output = list(_complaints(done.stdout)) or done.stderr.decode(errors="replace").splitlines()
        raise BootimgError(
            "osbuild-manifest-refused",
            "osbuild does not accept the manifest",
            context=[*output[-8:], f"manifest: {manifest}"],
            hint="an older osbuild lacks stages or options: install a newer one, or use --builder own",
        )


def _complaints(stdout: bytes) -> Iterator[str]:
    """The errors of a validation result, one a line; osbuild's plain output if it is not such a result."""
    text = stdout.decode(errors="replace")
    try:
        errors = json.loads(text)["errors"]
        for error in errors:
            where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["path"])
            yield f"{where.lstrip('.')}: {error['message']}"[:400]
    except (ValueError, KeyError, TypeError):
        yield from (line[:400] for line in text.splitlines())
