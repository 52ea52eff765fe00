"""`build` and `plan` of several architectures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

from bootimg.cli.options.buildoptions import BuildOptions
from bootimg.cli.options.streamchoice import selection_lines
from bootimg.cli.output.outcomes import HEADER, RETRY, artifact_rows, note_lines
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import BootimgError, ExitCode

if TYPE_CHECKING:
    from bootimg.arch import Arch
    from bootimg.orchestrator.manyarches.results import ArchResults
    from bootimg.orchestrator.plan import Plan
    from bootimg.orchestrator.request import Outcome, Request


def build_several(app: App, options: BuildOptions, change: Callable[[Request], Request]) -> None:
    """Make the architectures, print what became of them, and exit with 4 if anything failed."""
    from bootimg.orchestrator.manyarches.making import build_arches
    from bootimg.orchestrator.progress import stopped_text

    found = build_arches(options.requests(app).changed(change), app.cache, app.events)
    outcomes = list(found.values)
    if any(each.stopped_after for each in outcomes):
        stopped = [f"{each.arch}: {stopped_text(each)}" for each in outcomes]
        text = "\n\n".join(["\n".join(_missing(found)), *stopped]).strip()
    else:
        text = outcome_table(found, app.width)
    app.result(found.as_dict("outcome"), text)
    _exit(found.errors, failed=any(each.failures for each in outcomes))


def plan_several(app: App, options: BuildOptions, lines: Callable[[Plan, int | None], Iterator[str]]) -> None:
    """Print the plans, each as `lines` describes it; exit with 4 if an architecture is impossible."""
    from bootimg.api.building import plan_requests

    found = plan_requests(options.requests(app), app.idle_cache.root)
    parts = ["\n".join(lines(each, app.width)) for each in found.values]
    app.result(found.as_dict("plan"), "\n\n".join([*parts, "\n".join(_missing(found))]).rstrip())
    _exit(found.errors)


def outcome_table(found: ArchResults[Outcome], width: int | None = None) -> str:
    """The artifacts of all architectures as a table, what failed or was left out, and the next command."""
    outcomes = list(found.values)
    rows = [(each.arch.value, *row) for each in outcomes for row in artifact_rows(each)]
    lines = table([("ARCH", *HEADER), *rows], width=width, header=True, right={2, 4})
    for each in outcomes:
        lines += note_lines(each)
        lines += (f"failed: {each.arch} {name}: {error}" for name, error in each.failures.items())
        lines += (f"{each.arch}: {line}" for line in selection_lines(each.selection))
    if any(each.failures for each in outcomes):
        lines.append(RETRY)
    lines += _missing(found)
    folder = outcomes[0].path.parent
    following = f"next: bootimg run -o {folder.parent} --arch {outcomes[0].arch}"
    return "\n".join([*lines, "", f"in {folder}", following])


def _missing(found: ArchResults[Outcome] | ArchResults[Plan]) -> Iterator[str]:
    """Lines on the architectures that failed, and on those that were left out."""
    for arch, error in found.errors.items():
        yield f"failed: {arch}: {error}"
        yield from (f"  {line}" for line in error.context)
        if error.hint:
            yield f"  hint: {error.hint}"
    yield from (f"left out   {name}: {why}" for name, why in found.left_out.items())


def _exit(errors: Mapping[Arch, BootimgError], *, failed: bool = False) -> None:
    if errors or failed:
        click.get_current_context().exit(ExitCode.PARTIAL)
