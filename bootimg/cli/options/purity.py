"""The options about content of OpenShift, for `build`, `plan` and `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bootimg import defaults
from bootimg.cli.options.common import Decorated

if TYPE_CHECKING:
    from bootimg.builds.find import Build
    from bootimg.checks.purity import Purity
    from bootimg.cli.options.streamchoice import Chosen

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


def purity_of(
    given: str | None, allow: tuple[str, ...], chosen: Chosen, build: Build | None = None
) -> tuple[Purity, tuple[str, ...]]:
    """The purity level and the allowed names for a layer.

    They come from the options, else from the last run of `build`, else from the stream.  Where disk images
    are skipped, content of OpenShift is expected: it is reported and recorded, not refused.
    """
    from bootimg.checks.purity import Purity
    from bootimg.orchestrator.rebuild import PurityCheck, purity_check

    before = purity_check(build) if build else PurityCheck()
    rules = chosen.config.purity if chosen.config else None
    level = Purity(given or before.purity or (rules.level if rules else defaults.PURITY))
    if not (given or before.purity) and level is Purity.ERROR and chosen.selection.skip_reason:
        level = Purity.WARN
    if before.allow is not None and not allow:
        return level, before.allow
    return level, (*allow, *(rules.allow if rules else ()))
