"""What the verbs of the clouds share: which images, which settings, and how the result is printed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bootimg import defaults
from bootimg.arch import Arch
from bootimg.cli.options.common import ArchType, builds_option, dry_run_option, duration_type, split_names
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import ExitCode
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.cloud.calls import Call
    from bootimg.cloud.lifecycle import Report
    from bootimg.cloud.verbs import Verb

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudArguments:
    """The arguments that every verb of the clouds has; `request` are those of its request."""

    stream: str | None
    streams: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)


def _settings(
    ctx: click.Context, parameter: click.Parameter, value: Iterable[str]
) -> dict[str, str | bool | list[str]]:
    found: dict[str, str | bool | list[str]] = {}
    for each in value:
        key, equals, text = each.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{each!r} is not KEY=VALUE")
        words = {"true": True, "false": False}
        found[key] = words.get(text, text)
    return found


region_option = click.option(
    "--region", "regions", multiple=True, metavar="NAME[,NAME…]", callback=split_names,
    help="Only these regions; repeatable.  [default: all]",
)  # fmt: skip
"""Passes `regions: tuple[str, ...]`."""
grant_option = click.option(
    "--grant", "grants", multiple=True, metavar="ACCOUNT[,ACCOUNT…]", callback=split_names,
    help="Accounts that may use the image; repeatable.",
)  # fmt: skip
"""Passes `grants: tuple[str, ...]`."""
account_option = click.option(
    "--account", metavar="NAME", help="The block of an account in the cloud's, as govcloud."
)
"""Passes `account: str | None`."""
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", callback=_settings,
    help="A setting of the cloud; repeatable.",
)  # fmt: skip
"""Passes `settings: dict[str, str | bool | list[str]]`."""
retry_option = click.option(
    "--retry-for", type=duration_type, default="10m", show_default=True, metavar="TIME",
    help="How long a call that fails is repeated.",
)  # fmt: skip
"""Passes `retry_for: int`, in seconds."""
_OPTIONS = (
    click.argument("build", default="latest"),
    click.option("-p", "--platform", "platforms", multiple=True, metavar="NAME[,NAME…]",
                 callback=split_names,
                 help="Platforms; repeatable.  [default: all that have an uploader]"),
    click.option("--arch", type=ArchType(), envvar="BOOTIMG_ARCH", show_envvar=True,
                 help="Only this architecture.  [default: all of the build]"),
    builds_option,
    click.option("--stream", metavar="NAME", envvar="BOOTIMG_STREAM", show_envvar=True,
                 help="Take the settings of the clouds from this stream's file."),
    click.option("--streams", type=click.Path(path_type=Path), default=defaults.STREAMS, show_default=True,
                 metavar="FILE", envvar="BOOTIMG_STREAMS", show_envvar=True,
                 help="The pipeline's file that describes the streams."),
    account_option,
    click.option("--variant", "key", metavar="KEY",
                 help="A variant of the image, by its key in meta.json, as aws-winli."),
    set_option,
    retry_option,
    dry_run_option,
)  # fmt: skip


def cloud_options(function: Decorated) -> Decorated:
    """The options of every verb of the clouds; passes `cloud: CloudArguments`."""

    @functools.wraps(function)
    def with_cloud(
        *args: Any,  # noqa: ANN401
        build: str,
        platforms: tuple[str, ...],
        arch: Arch | None,
        builds: Path,
        stream: str | None,
        streams: Path,
        account: str | None,
        key: str | None,
        settings: dict[str, Any],
        retry_for: int,
        dry_run: bool,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        request = {
            "which": build, "platforms": platforms, "arch": arch, "builds": builds, "account": account,
            "key": key, "retry_for": float(retry_for), "dry_run": dry_run,
        }  # fmt: skip
        arguments = CloudArguments(stream=stream, streams=streams, settings=settings, request=request)
        return function(*args, cloud=arguments, **kwargs)

    decorated: Any = with_cloud
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def run_cloud(
    app: App, verb: Verb, cloud: CloudArguments, overrides: Mapping[str, Any], **more: object
) -> None:
    """Run a verb and print what it did; exits with 4 if it failed somewhere.

    `overrides` are settings whose values are from options; those that say nothing are left out.
    """
    from bootimg.orchestrator.uploading.request import CloudRequest
    from bootimg.orchestrator.uploading.run import run_cloud_verb
    from bootimg.streams.pipeline.config import read_stream_config, read_streams_file

    stream = read_stream_config(read_streams_file(cloud.streams), cloud.stream) if cloud.stream else None
    given = {key: value for key, value in overrides.items() if value not in (None, (), [])}
    fields: dict[str, Any] = {**cloud.request, **more}
    request = CloudRequest(verb=verb, stream=stream, overrides={**cloud.settings, **given}, **fields)
    show_reports(app, verb, run_cloud_verb(request, app.cache, app.events), dry_run=request.dry_run)


def show_reports(app: App, verb: str, reports: Sequence[Report], *, dry_run: bool) -> None:
    """Print what was done; exits with 4 if it failed somewhere."""
    document = {"verb": str(verb), "dry-run": dry_run, "uploads": [each.as_dict() for each in reports]}
    lines = [line for each in reports for line in report_lines(each, dry_run, app.width)]
    app.result(document, "\n".join(lines) or "nothing to do")
    failed = [result.error for each in reports for result in each.failed if result.error]
    if failed:
        every = len(failed) == sum(len(each.results) for each in reports)
        code = failed[0].exit_code if every and len(failed) == 1 else ExitCode.PARTIAL
        click.get_current_context().exit(code)


def report_lines(report: Report, dry_run: bool, width: int | None) -> Iterator[str]:
    """The lines that describe what a verb did with one upload."""
    yield f"{report.platform} {report.key}  {report.build} {report.arch}"
    yield from table(list(_rows(report)) or [("nothing to do",)], indent=2, width=width)
    for each in report.failed:
        assert each.error
        details = (*each.error.context, each.error.hint or "")
        yield from (printable(f"  {each.place}: {line}") for line in details if line)
    if dry_run and report.calls:
        yield "calls that would be made:"
        yield from table(list(_call_rows(report.calls)), indent=2, width=width)


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    for each in report.results:
        if each.error is not None:
            yield each.place, each.state, f"{each.error.id}: {each.error.message}"
        elif each.done is not None:
            yield each.place, each.state, each.done.text


def _call_rows(calls: Sequence[Call]) -> Iterator[tuple[str, ...]]:
    from json import dumps

    for each in calls:
        times = f"{each.times} times, {each.note}" if each.note else ""
        yield each.place, each.operation, times, dumps(each.as_dict()["parameters"])
