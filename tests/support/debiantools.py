"""The programs that make file systems, as other versions of Debian have them, without installing them."""

from __future__ import annotations

import os
from pathlib import Path

from bootimg import process
from bootimg.disk.native import NATIVE_PROGRAMS
from tests.layer.debian import find_mirror, proxy_options
from tests.layer.store import locked, made_folder, test_cache

SUITES = ("bookworm", "trixie", "sid")
_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")


def programs_of(suite: str) -> Path:
    """A folder for PATH with the native way's programs of a suite, each with the libraries of the suite.

    It is kept in the tests' cache.  Raises `program-missing` without mmdebstrap, `program-failed` without
    a mirror.
    """
    folder = test_cache() / "file-system-tools"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        root = folder / suite
        if not root.exists():
            made_folder(root, lambda path: _extract(suite, path))
    return root / "bin-for-path"


def _extract(suite: str, root: Path) -> None:
    program = process.require("mmdebstrap", packages="mmdebstrap")
    packages = ",".join(sorted({*NATIVE_PROGRAMS.values()}))
    # The signature of a suite in development is checked like the others', its date is not.
    source = f"deb [check-valid-until=no] {find_mirror().main} {suite} main"
    options = (f"--aptopt={option}" for option in ("Apt::Install-Recommends false", *proxy_options()))
    process.run(
        [program, "--quiet", "--variant=extract", "--architectures=amd64", f"--include={packages}",
         *options, suite, root / "tree", source],
        timeout=900,
    )  # fmt: skip
    (root / "bin-for-path").mkdir()
    for name in NATIVE_PROGRAMS:
        script = root / "bin-for-path" / name
        script.write_text(_script(root.with_name(suite) / "tree", root / "tree", name))
        script.chmod(0o755)


def _script(final: Path, tree: Path, name: str) -> str:
    """A script that starts a program in `tree`, which will be at `final`, by the tree's own loader."""
    found = next(folder for folder in _FOLDERS if os.path.lexists(tree / folder / name))
    libraries = [final / each for each in _LIBRARIES if (tree / each).is_dir()]
    loader = next(
        each / "ld-linux-x86-64.so.2"
        for each in libraries
        if os.path.lexists(tree / each.relative_to(final) / "ld-linux-x86-64.so.2")
    )
    return f"""#!/bin/sh
export GCONV_PATH='{final}/usr/lib/x86_64-linux-gnu/gconv'
exec '{loader}' --library-path '{":".join(map(os.fspath, libraries))}' '{final}/{found}/{name}' "$@"
"""
