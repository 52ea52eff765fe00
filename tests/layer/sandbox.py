"""Becoming root of a tree: in a mount namespace, and a user namespace too where we are not root."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bootimg import process
from bootimg.arch import Arch
from tests.layer import emulation
from tests.layer.recipe import HERE, SOURCE_DATE_EPOCH, UnsupportedError

_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")

# Emulated, dracut runs for minutes, and longer on a busy machine.
_HOURS = 3 * 3600


def run_as_root(module: str, arguments: Sequence[str | Path], arch: Arch | None = None) -> bytes:
    """Run a module of this package as root of its own mount and process namespaces; returns its stdout.

    Programs of `arch` run there, if it is not this machine's.
    """
    argv = [*as_root(arch), sys.executable, "-m", f"tests.layer.{module}", *map(str, arguments)]
    env = {"SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH), "PYTHONDONTWRITEBYTECODE": "1"}
    return process.run(argv, env=env, cwd=HERE.parent.parent, timeout=_HOURS).stdout


def as_root(arch: Arch | None) -> tuple[str, ...]:
    """The words before a command that is to run in such namespaces."""
    emulated = emulation.entered(arch) if arch else ()
    return (*emulated, *_NAMESPACES, "--") if emulated else (*_unshare(), "--")


def check_privileges(arch: Arch) -> None:
    """Say what to do where an ordinary user cannot have a range of ids, or why `arch` does not run here."""
    if os.geteuid() != 0 and process.run([*_unshare(), "--", "true"], check=False).returncode:
        raise UnsupportedError(
            "an ordinary user needs user namespaces and a range in /etc/subuid and /etc/subgid "
            "(package uidmap) to make the stand-in layer; else make it once with sudo, with the same "
            "BOOTIMG_TEST_CACHE"
        )
    if reason := emulation.why_not(arch):
        raise UnsupportedError(reason)


def _unshare() -> tuple[str, ...]:
    rootless = () if os.geteuid() == 0 else ("--map-root-user", "--map-auto")
    return (*_NAMESPACES, *rootless)
