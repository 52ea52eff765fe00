"""The forms of `--arch` of verbs that take several architectures, or the image's own."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from bootimg.arch import ALL, Arch, ArchChoice
from bootimg.cli.options.common import ArchType


class ArchesType(click.ParamType[ArchChoice]):
    """Architectures separated by commas, or `all`."""

    name = "arches"

    def convert(
        self,
        value: Any,  # noqa: ANN401
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> ArchChoice:
        """The choice; raises `arch-unknown`."""
        return value if isinstance(value, ArchChoice) else ArchChoice.parse(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The architectures, or `all`, that begin with the text after the last comma."""
        before, comma, last = incomplete.rpartition(",")
        names = [name for name in [ALL, *Arch] if name.startswith(last)]
        return [CompletionItem(before + comma + name) for name in names]


image_arch_option = click.option(
    "--arch",
    type=ArchType(),
    show_default="the image's own, else this machine's",
    envvar="BOOTIMG_ARCH",
    show_envvar=True,
    help="Architecture of the image.",
)
"""Passes `arch: Arch | None`; None if the image itself is to say it."""

arches_option = click.option(
    "--arch",
    type=ArchesType(),
    default=ArchChoice.of_machine,
    show_default="this machine's",
    metavar="ARCH[,ARCH…]|all",
    envvar="BOOTIMG_ARCH",
    show_envvar=True,
    help="Architectures; `all` means those that there are.",
)
"""Passes `arch: ArchChoice`."""
