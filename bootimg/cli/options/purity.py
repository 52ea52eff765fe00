"""The options about content of OpenShift, for `build`, `plan` and `verify`."""

from __future__ import annotations

from typing import Any

import click

from bootimg.cli.options.common import Decorated

_OPTIONS = (
    click.option("--purity", type=click.Choice(["off", "warn", "error"]),
                 show_default="error, or as the stream has it", envvar="BOOTIMG_PURITY", show_envvar=True,
                 help="What to do about OpenShift's packages and files in the layer."),
    click.option("--allow", multiple=True, metavar="NAME", envvar="BOOTIMG_ALLOW", show_envvar=True,
                 help="A package (or glob), /path, unit or label that may be there; repeatable."),
)  # fmt: skip


def purity_options(function: Decorated) -> Decorated:
    """Pass `purity: str | None` (None if not given) and `allow: tuple[str, ...]`."""
    decorated: Any = function
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
