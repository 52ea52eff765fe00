"""Compiling one tool from its registry, with cargo or go; nothing is left of caches and build folders."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from tests.layer.recipe import HERE

# The newest that any of the tools asks for: bootupd's rust-version, Ignition's go line.
MINIMUM = {"cargo": (1, 90), "go": (1, 24)}

_HOUR = 3600.0
_PASSED_ON = re.compile(r"(CARGO|RUSTUP|RUST|GO|CGO|PKG_CONFIG)[A-Z]*(_.*)?")


@dataclass(frozen=True, slots=True)
class Tool:
    """One entry of tools.toml."""

    name: str
    version: str
    compiler: str
    programs: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    crate: str = ""
    features: tuple[str, ...] = ()
    module: str = ""
    packages: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None


def compile_tool(tool: Tool, work: Path, output: Path) -> None:
    """Compile in the folder `work`, place bin/ and src/ in the folder `output`."""
    source = _cargo(tool, work) if tool.compiler == "cargo" else _go(tool, work)
    for program in tool.programs:
        _copy(work / "root/bin" / program, output / "bin" / program, 0o755)
    for name in tool.sources:
        _copy(source / name, output / "src" / name, 0o644)


def _cargo(tool: Tool, work: Path) -> Path:
    """Install a crate below work/root; returns the folder of its source."""
    home = _cargo_home(work)
    what = ["--path", str(HERE / tool.crate)] if tool.crate else [tool.name, "--version", f"={tool.version}"]
    process.run(
        [
            "cargo", "install", "--locked", "--quiet", "--no-track", *what,
            *(f"--features={name}" for name in tool.features),
            f"--root={work / 'root'}", f"--target-dir={work / 'target'}",
        ],
        env=_environment(CARGO_HOME=str(home), CARGO_PROFILE_RELEASE_STRIP="symbols"),
        timeout=_HOUR,
    )  # fmt: skip
    if tool.crate:
        return HERE / tool.crate
    (source,) = home.glob(f"registry/src/*/{tool.name}-{tool.version}")
    return source


def _cargo_home(work: Path) -> Path:
    """A cargo home of the build's own, with the mirrors of the user's."""
    home = work / "cargo"
    home.mkdir()
    config = Path(os.environ.get("CARGO_HOME", "~/.cargo")).expanduser() / "config.toml"
    if config.exists():
        shutil.copy(config, home)
    return home


def _go(tool: Tool, work: Path) -> Path:
    """Build packages of a module into work/root/bin; returns the folder of its source."""
    env = _environment(GOPATH=str(work / "go"), GOCACHE=str(work / "gocache"), CGO_ENABLED="1")
    # Without write permission in the module cache an ordinary user could not delete it.
    download = ["go", "mod", "download", "-modcacherw", "-json", f"{tool.module}@v{tool.version}"]
    source = work / "source"
    shutil.copytree(json.loads(process.run(download, env=env, cwd=work, timeout=_HOUR).stdout)["Dir"], source)
    flags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in (tool.variables or {}).items())])
    build = ["go", "build", "-modcacherw", "-trimpath", "-buildmode=pie", f"-ldflags={flags}"]
    for name, package in zip(tool.programs, tool.packages, strict=True):
        process.run([*build, f"-o={work / 'root/bin' / name}", package], env=env, cwd=source, timeout=_HOUR)
    return source


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    return kept | more


def _copy(source: Path, target: Path, mode: int) -> None:
    """Copy a file or a folder; every file gets `mode`."""
    for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            copy.chmod(mode)
