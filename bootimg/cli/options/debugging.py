"""The options for debugging a build: `--until`, `--keep`, `--debug-shell`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from bootimg.cli.options.common import PLAIN_EVENTS
from bootimg.errors import BootimgError, ExitCode

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class DebugOptions:
    """The values of those options; `on_failure` opens the shell, or is None."""

    stop_after: str | None
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
    # Live bars would write over the shell.
    ctx.meta[PLAIN_EVENTS] = value
    return value


class _StepOption(click.Option):
    """An option whose help and completion list the steps; the steps are imported only then."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from bootimg.orchestrator.steps import known_steps

        names = ", ".join(step.name for step in known_steps())
        self.help = f"Stop after a step: {names}, or a platform's name."
        return super().get_help_record(ctx)


def _complete_steps(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from bootimg.orchestrator.steps import known_steps
    from bootimg.targets import every_target

    targets = (each.name for each in every_target() if each.on_request and each.obstacle is None)
    names = (*(step.name for step in known_steps()), *targets)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_OPTIONS = (
    click.option("--until", "stop_after", cls=_StepOption, metavar="STEP", shell_complete=_complete_steps),
    click.option("--keep", is_flag=True, help="Keep the scratch folder of the base disk, and say where."),
    click.option("--debug-shell", is_flag=True, callback=_require_terminal,
                 help="Open a shell in the appliance where something fails in it."),
)  # fmt: skip


def debug_options(function: Decorated) -> Decorated:
    """Passes `debugging: DebugOptions`."""

    @functools.wraps(function)
    def with_debug_options(
        *args: Any,  # noqa: ANN401
        stop_after: str | None,
        keep: bool,
        debug_shell: bool,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        debugging = DebugOptions(stop_after, keep, _shell() if debug_shell else None)
        return function(*args, debugging=debugging, **kwargs)

    decorated: Any = with_debug_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _shell() -> Callable[[Any, BootimgError], None]:
    from bootimg.appliance.shell import DebugShell

    return DebugShell(sys.stdin, sys.stderr)
