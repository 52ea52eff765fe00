"""The program stream-reader, which passes JSON through the types of the real stream-metadata-go."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg import process
from tests.layer import store
from tests.layer.recipe import HERE, UnsupportedError
from tests.layer.tools.toolchain import _environment

SOURCE = HERE / "tools/stream-reader"
_HOUR = 3600.0


def why_not() -> str | None:
    """Why it cannot be had here, or None: it is there or compiles."""
    return None if _path().exists() or process.find("go") else "go is missing"


def stream_reader() -> Path:
    """The program, compiled if it is not there."""
    path = _path()
    if path.exists():
        return path
    if reason := why_not():
        raise UnsupportedError(f"stream-reader cannot be compiled here: {reason}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with store.locked(path.parent):
        return store.made(path, _compile)


def _path() -> Path:
    return store.test_cache() / "tools" / f"stream-reader-{store.key(SOURCE)}"


def _compile(output: Path) -> None:
    # toolchain's digest is part of every compiled tool's key: this stays a module of its own.
    with TemporaryDirectory(dir=output.parent) as work:
        source = shutil.copytree(SOURCE, Path(work) / "source")
        env = _environment(GOPATH=f"{work}/go", GOCACHE=f"{work}/gocache", CGO_ENABLED="0")
        build = ["go", "build", "-modcacherw", "-trimpath", "-ldflags=-s -w", f"-o={output}", "."]
        process.run(build, env=env, cwd=source, timeout=_HOUR)
