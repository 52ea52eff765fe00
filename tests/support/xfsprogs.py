"""The xfsprogs of other Debian releases, unpacked and run through their own loader and libraries."""

from __future__ import annotations

import shlex
import shutil
from functools import partial
from pathlib import Path

from bootimg import process
from tests.layer import store
from tests.layer.debian import find_mirror

SUITES = ("trixie", "sid")
PROGRAMS = ("xfs_repair", "xfs_db")
_FOLDERS = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_LOADERS = ("lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2")


def why_not() -> str | None:
    """Why they cannot be had here, or None: they are there or can be fetched."""
    if all(_place(suite).exists() for suite in SUITES) or process.find("mmdebstrap"):
        return None
    return "mmdebstrap is not installed"


def xfsprogs(suite: str) -> Path:
    """The folder with a release's programs, fetched if it is not there; BootimgError where that fails."""
    place = _place(suite)
    place.parent.mkdir(parents=True, exist_ok=True)
    with store.locked(place.parent):
        if not place.exists():
            store.made_folder(place, partial(_unpack, suite, place))
    return place / "bin"


def _place(suite: str) -> Path:
    return store.test_cache() / "xfsprogs" / suite


def _unpack(suite: str, place: Path, output: Path) -> None:
    apt = "--aptopt=Apt::Install-Recommends false"
    argv: list[str | Path] = ["mmdebstrap", "--quiet", "--variant=extract", "--architectures=amd64", apt]
    source = f"deb [check-valid-until=no] {find_mirror().main} {suite} main"
    argv += ["--format=directory", "--include=xfsprogs", suite, output / "root", source]
    process.run(argv, timeout=1800)
    for unused in ("usr/share", "usr/bin", "var"):
        shutil.rmtree(output / "root" / unused)
    (output / "bin").mkdir()
    loader = next(each for each in _LOADERS if (output / "root" / each).exists())
    libraries = ":".join(str(place / "root" / folder) for folder in _FOLDERS)
    for name in PROGRAMS:
        words = [place / "root" / loader, "--library-path", libraries, place / "root/usr/sbin" / name]
        script = output / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
        script.chmod(0o755)
