"""What `compress` and `uncompress` share: options, the build they change, their output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bootimg.arch import Arch
from bootimg.cli.options.common import builds_option
from bootimg.cli.output.session import App

if TYPE_CHECKING:
    from bootimg.orchestrator.compress import Work

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

compressor_option = click.option(
    "--compressor",
    type=click.Choice(["gzip", "xz", "zstd", "none"]),
    envvar="BOOTIMG_COMPRESSOR",
    show_envvar=True,
    help="Compressor for platforms without one in the layer.  [default: the layer's, else gzip]",
)
"""Passes `compressor: str | None`."""


def compress_options(function: Decorated) -> Decorated:
    """`--compress` and `--compressor`, which implies it; passes `compress: bool` too."""
    flag = click.option(
        "--compress",
        is_flag=True,
        envvar="BOOTIMG_COMPRESS",
        show_envvar=True,
        help="Compress disks as they are written.",
    )
    return flag(compressor_option(function))


def build_arguments(function: Decorated) -> Decorated:
    """Arguments that name an existing build; passes `build: str`, `arch: str | None` and `builds: Path`."""
    decorated = click.option(
        "--arch", help="Only the build's images for this architecture.  [default: all it has]"
    )(builds_option(function))
    return click.argument("build", default="latest")(decorated)


def change_build(app: App, builds: Path, build: str, arch: str | None, work: Work) -> None:
    """Call `work` on the build and print the artifacts that changed."""
    from bootimg.orchestrator.compress import each_build

    changed = each_build(builds, build, Arch.parse(arch) if arch else None, work)
    text = "\n".join(str(each.path) for each in changed) or "nothing to do"
    app.result({"artifacts": [each.as_dict() for each in changed]}, text)
