"""The options for whoever hunts a fault in a build: `--until`, `--keep`, `--debug-shell`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from bootimg.cli.options import PLAIN_EVENTS
from bootimg.errors import BootimgError, ExitCode

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Faults:
    """What those options said; `on_failure` is the shell, or None."""

    until: str | None
    keep: bool
    on_failure: Callable[[Any, BootimgError], None] | None


def _require_terminal(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    if value and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BootimgError(
            "terminal-missing",
            "--debug-shell needs a terminal on stdin and stderr",
            hint="run the build in a terminal; elsewhere --keep keeps what there is to look at",
            exit_code=ExitCode.USAGE,
        )
    # Bars that are drawn anew would write over the shell.
    ctx.meta[PLAIN_EVENTS] = value
    return value


_OPTIONS = (
    click.option("--until", metavar="STEP", help="Stop after a step: fetch, layers, import, archive, base, "
                 "or a platform's name."),
    click.option("--keep", is_flag=True, help="Keep the scratch folder of the base disk, and say where."),
    click.option("--debug-shell", is_flag=True, callback=_require_terminal,
                 help="Open a shell in the appliance where something fails in it."),
)  # fmt: skip


def fault_options(function: Decorated) -> Decorated:
    """Passes `faults: Faults`."""

    @functools.wraps(function)
    def with_faults(*args: Any, until: str | None, keep: bool, debug_shell: bool, **kwargs: Any) -> Any:  # noqa: ANN401
        return function(*args, faults=Faults(until, keep, _shell() if debug_shell else None), **kwargs)

    decorated: Any = with_faults
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _shell() -> Callable[[Any, BootimgError], None]:
    from bootimg.appliance.shell import DebugShell

    return DebugShell(sys.stdin, sys.stderr)
