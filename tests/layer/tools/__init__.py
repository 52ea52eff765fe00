"""The compiled CoreOS tools: `python -m tests.layer.tools [TOOL…]` makes them, or says why it cannot.

Each is kept in $BOOTIMG_TEST_CACHE/tools/NAME-VERSION-KEY, with bin/ and what is used of its source in src/.
"""

from __future__ import annotations

import os
import platform
import re
import tomllib
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bootimg import process
from tests.layer import store
from tests.layer.progress import timed
from tests.layer.recipe import HERE, UnsupportedError
from tests.layer.tools.toolchain import MINIMUM, Tool, compile_tool

OSTREE_EXT = "ostree-ext-cli"
_NUMBERS = re.compile(rb"(\d+)\.(\d+)")


@cache
def tools() -> dict[str, Tool]:
    """The tools of tools.toml, by name."""
    table = tomllib.loads((HERE / "tools/tools.toml").read_text())
    return {name: Tool(name, **_typed(entry)) for name, entry in table.items()}


def _typed(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def why_not(*names: str) -> str | None:
    """Why these tools (all, if none is named) can not be had here, or None: they are there or compile."""
    missing = [tool for tool in _chosen(names) if not location(tool.name).exists()]
    for compiler in sorted({tool.compiler for tool in missing}):
        if reason := _too_old(compiler):
            return reason
    for program in ("pkg-config", "cc") if missing else ():
        if process.find(program) is None:
            return f"{program} is missing (script/lib.sh: the packages of the set tools)"
    absent = sorted({name for tool in missing for name in tool.libraries if not _has_library(name)})
    return (
        f"no headers of {', '.join(absent)} (script/lib.sh: the packages of the set tools)"
        if absent
        else None
    )


def _too_old(compiler: str) -> str | None:
    wanted = MINIMUM[compiler]
    if process.find(compiler) is None:
        return f"{compiler} is missing ({'.'.join(map(str, wanted))} or newer is needed)"
    shown = process.run([compiler, "version" if compiler == "go" else "--version"], check=False)
    match = _NUMBERS.search(shown.stdout)
    if shown.returncode or match is None or tuple(map(int, match.groups())) < wanted:
        return f"{compiler} is older than {'.'.join(map(str, wanted))}"
    return None


def _has_library(name: str) -> bool:
    return not process.run(["pkg-config", "--exists", name], check=False).returncode


def location(name: str) -> Path:
    """The folder of one tool, whether it is made or not."""
    tool = tools()[name]
    crate = HERE / tool.crate if tool.crate else ""
    libc = os.confstr("CS_GNU_LIBC_VERSION")
    key = store.key(asdict(tool), crate, store.source("tools/toolchain.py"), platform.machine(), libc)
    return store.test_cache() / "tools" / f"{name}-{tool.version}-{key}"


def tool(name: str) -> Path:
    """The folder of one tool, compiled if it is not there: minutes."""
    path = location(name)
    if path.exists():
        return path
    if reason := why_not(name):
        raise UnsupportedError(f"{name} cannot be compiled here: {reason}")
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with store.locked(folder):
        store.sweep(folder, "compiling.*")
        if not path.exists():
            _make(tools()[name], path)
    return path


def _make(tool: Tool, path: Path) -> None:
    with (
        timed(f"{tool.name} {tool.version}"),
        TemporaryDirectory(prefix="compiling.", dir=path.parent) as work,
    ):
        store.made_folder(path, lambda output: compile_tool(tool, Path(work), output))


def program(name: str, of: str = "") -> Path:
    """A compiled program; `of` is its tool if that has another name."""
    return tool(of or name) / "bin" / name


def _chosen(names: tuple[str, ...]) -> list[Tool]:
    return [tools()[name] for name in names or tools()]
