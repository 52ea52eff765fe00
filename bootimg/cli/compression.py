"""The options of compression, for the verbs that have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

compressor_option = click.option(
    "--compressor",
    type=click.Choice(["gzip", "xz", "zstd", "none"]),
    envvar="BOOTIMG_COMPRESSOR",
    show_envvar=True,
    help="Compressor where the layer has none of its own for a platform.  [default: the layer's, else gzip]",
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
