"""`bootimg builds`: the tree of builds, here and in a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bootimg.arch import Arch
from bootimg.cli.commands.bucketcommands import fetch, push
from bootimg.cli.options.common import ArchType, builds_option, common, dry_run_option, duration_type
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import ExitCode
from bootimg.printable import printable
from bootimg.sizes import format_size

if TYPE_CHECKING:
    from bootimg.builds.prune import Verdict
    from bootimg.builds.state import ArchState, ArtifactState, BuildState

_check_option = click.option("--check", is_flag=True, help="Exit with 4 if something is missing.")


@click.group("builds")
def command() -> None:
    """List and show builds, remove old ones, fetch and push them."""


@command.command("list")
@common
@builds_option
@_check_option
def list_(app: App, builds: Path, check: bool) -> None:
    """List the builds, newest first, and whether they are complete."""
    from bootimg.builds.state import build_states

    states = build_states(builds)
    lines = table([row for each in states for row in _rows(each)], right={2, 3}, width=app.width)
    app.result({"builds": [_document(each) for each in states]}, "\n".join(lines) or "no builds")
    _exit(check, states)


@command.command("show")
@common
@click.argument("build", default="latest")
@click.option("--arch", type=ArchType(), help="Only this architecture.  [default: all it has]")
@builds_option
@_check_option
def show(app: App, build: str, arch: Arch | None, builds: Path, check: bool) -> None:
    """Show the artifacts of BUILD (an id, `latest` or a path) and what is missing."""
    from bootimg.builds.find import find_builds
    from bootimg.builds.state import build_states

    folder = find_builds(builds, build, arch)[0].path.parent
    (state,) = [each for each in build_states(folder.parent) if each.id == folder.name]
    arches = [each for each in state.arches if arch is None or each.arch == arch]
    app.result(_document(state, arches), "\n".join(_lines(state, arches, app.width)))
    _exit(check, [state])


@command.command(
    "prune",
    epilog="""\
\b
Examples:
  bootimg builds prune --keep-last 5 --dry-run
  bootimg builds prune --older-than 90d""",
)
@common
@click.argument("ids", nargs=-1, metavar="[BUILD]…")
@click.option("--keep-last", type=click.IntRange(min=1), default=3, show_default=True, metavar="N",
              help="Keep the N newest builds without a tag.")  # fmt: skip
@click.option("--older-than", type=duration_type, metavar="TIME", help="Remove only builds older than this.")
@builds_option
@dry_run_option
def prune(
    app: App, ids: tuple[str, ...], keep_last: int, older_than: int | None, builds: Path, dry_run: bool
) -> None:
    """Remove old builds, or the named ones; builds with a tag stay."""
    from bootimg.builds.prune import Rule, judge, judge_named
    from bootimg.builds.prune import prune as remove

    verdicts = judge_named(builds, ids) if ids else judge(builds, Rule(keep_last, older_than))
    done = verdicts if dry_run else remove(builds, verdicts)
    document = {"builds": [_verdict(each) for each in done], "dry-run": dry_run}
    app.result(document, "\n".join(_verdict_rows(done, dry_run)) or "nothing to remove")


command.add_command(fetch)
command.add_command(push)


def _exit(check: bool, states: Iterable[BuildState]) -> None:
    if check and not all(each.complete for each in states):
        click.get_current_context().exit(ExitCode.PARTIAL)


def _lines(build: BuildState, arches: Iterable[ArchState], width: int | None) -> Iterator[str]:
    """The lines for a build and its artifacts."""
    for arch in arches:
        yield from table(list(_rows(build, [arch])), width=width)
        yield from table(list(_artifact_rows(arch.artifacts)), right={2}, indent=2, width=width)


def _rows(build: BuildState, arches: Iterable[ArchState] | None = None) -> Iterator[tuple[str, ...]]:
    tags = f"  [{', '.join(build.tags)}]" if build.tags else ""
    for arch in build.arches if arches is None else arches:
        count = f"{arch.present}/{len(arch.artifacts)}"
        yield build.id, arch.arch, count, format_size(arch.size), f"{_words(build, arch)}{tags}"
    if not build.arches:
        yield build.id, "-", "", "", f"listed with no architecture{tags}"


def _words(build: BuildState, arch: ArchState) -> str:
    """How complete the build is, in words."""
    if arch.problem:
        return arch.problem
    from bootimg.builds.state import FileState

    words = "complete" if arch.complete else f"incomplete: {', '.join(_missing(arch))}"
    if gone := sum(each.state is FileState.REMOVED for each in arch.artifacts):
        words += f", {gone} removed by policy"
    return words if build.listed and arch.listed else f"{words} (not in builds.json)"


def _missing(arch: ArchState) -> list[str]:
    from bootimg.builds.state import FileState

    fine = (FileState.PRESENT, FileState.REMOVED)
    return [f"{each.key} {each.state}" for each in arch.artifacts if each.state not in fine]


def _artifact_rows(artifacts: Iterable[ArtifactState]) -> Iterator[tuple[str, ...]]:
    for each in artifacts:
        size = format_size(each.size) if each.size is not None else ""
        signed = " signed" if each.signed else ""
        yield each.key, str(each.state), size, (each.sha256 or "")[:12], f"{each.path or ''}{signed}"


def _document(build: BuildState, arches: Iterable[ArchState] | None = None) -> dict[str, Any]:
    return {
        "id": build.id,
        "listed": build.listed,
        "complete": build.complete,
        "tags": list(build.tags),
        "arches": [_arch(each) for each in (build.arches if arches is None else arches)],
    }


def _arch(arch: ArchState) -> dict[str, Any]:
    return {
        "arch": arch.arch,
        "listed": arch.listed,
        "complete": arch.complete,
        "problem": arch.problem,
        "size": arch.size,
        "artifacts": [
            {"key": each.key, "state": each.state, "path": each.path, "size": each.size,
             "sha256": each.sha256, "signed": each.signed}
            for each in arch.artifacts
        ],
    }  # fmt: skip


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"id": verdict.id, "removed": verdict.removed, "reason": verdict.reason or None}


def _verdict_rows(verdicts: Iterable[Verdict], dry_run: bool) -> Iterator[str]:
    verb = "would be removed" if dry_run else "removed"
    for each in verdicts:
        yield printable(f"{each.id:<24} {verb if each.removed else f'stays: {each.reason}'}")
