"""The product reading an input, as its commands do."""

from __future__ import annotations

from pathlib import Path

# Not by the package's own name, which loads it only when it is used: that is no part of what is measured.
from bootimg.api.looking import inspect
from bootimg.cli.main import bootimg as program


def image(folder: Path) -> object:
    """`bootimg inspect` of the OCI directory `image`."""
    return inspect(folder / "image", arch="x86_64", cache=folder / "cache")


def archive(folder: Path) -> object:
    """The same of the OCI archive `archive`."""
    return inspect(folder / "archive", arch="x86_64", cache=folder / "cache")


def run(folder: Path) -> None:
    """`bootimg run` of the file `disk`, to the point where a machine would start."""
    program.main(["run", "--cache", str(folder / "cache"), str(folder / "disk")], standalone_mode=False)


def disk(folder: Path) -> object:
    """`bootimg inspect` of the file `disk`."""
    return inspect(folder / "disk", arch="x86_64", cache=folder / "cache")


def build(folder: Path) -> object:
    """`bootimg inspect` of the latest build in `builds`."""
    return inspect("latest", arch="x86_64", builds=folder / "builds", cache=folder / "cache")
