"""`bootimg plan --upload`: what `upload` would send, and where to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bootimg.cli.options.buildoptions import BuildOptions
from bootimg.cli.options.cloudoptions import report_lines
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import ExitCode
from bootimg.printable import printable
from bootimg.sizes import format_size

if TYPE_CHECKING:
    from bootimg.orchestrator.uploading.forecast import Forecast


def plan_upload(
    app: App, options: BuildOptions, *, look: bool, account: str | None, settings: Mapping[str, Any]
) -> None:
    """Print what an upload of the build would send; exits with 4 if something stands in the way."""
    from bootimg.cloud.verbs import Verb
    from bootimg.orchestrator.uploading.forecast import forecast
    from bootimg.orchestrator.uploading.request import CloudRequest
    from bootimg.streams.pipeline.config import read_stream_config, read_streams_file

    stream = (
        read_stream_config(read_streams_file(options.streams), options.stream) if options.stream else None
    )
    request = CloudRequest(
        verb=Verb.UPLOAD,
        builds=options.builds,
        which=options.from_build or options.image or "latest",
        platforms=_named(options),
        stream=stream,
        account=account,
        overrides=settings,
        dry_run=True,
    )
    arches = options.arch.named if _was_given("arch") else ()
    found = [
        each
        for arch in arches or (None,)
        for each in forecast(replace(request, arch=arch), app.idle_cache, app.events, look=look)
    ]
    app.result(
        {"looked": look, "uploads": [each.as_dict() for each in found]}, "\n".join(_lines(found, app.width))
    )
    if any(each.problem or (each.report and each.report.failed) for each in found):
        click.get_current_context().exit(ExitCode.PARTIAL)


def _was_given(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def _named(options: BuildOptions) -> tuple[str, ...]:
    """The platforms that the user names; none means all."""
    names = options.platforms if _was_given("platforms") else None
    return () if names is None or "all" in names else names


def _lines(found: Sequence[Forecast], width: int | None) -> Iterator[str]:
    if not found:
        yield "the build has no image of a platform with a cloud"
        return
    header = ("UPLOAD", "ARCH", "FILE", "SIZE", "DATA", "STATE")
    yield from table([header, *map(_row, found)], width=width, header=True, right={3, 4})
    for each in found:
        title = f"{each.platform} {each.arch}"
        if each.settings:
            pairs = (f"{key} {_text(value)}" for key, value in each.settings.items())
            yield printable(f"{title}: to {', '.join(pairs)}")
        if each.problem:
            yield printable(f"{title}: {each.problem.id}: {each.problem.message}")
            yield from (printable(f"{title}: {line}") for line in (each.problem.hint,) if line)
        if each.report:
            yield from report_lines(each.report, dry_run=True, width=width)
    if not any(each.report for each in found):
        yield "the clouds were not asked: --look asks them"


def _row(found: Forecast) -> tuple[str, ...]:
    file_size, data = (
        format_size(each) if each is not None else "?" for each in (found.file_size, found.data)
    )
    return found.platform, found.arch, found.file or "-", file_size, data, _state(found)


def _state(found: Forecast) -> str:
    if found.there:
        shown = ", ".join(found.there[:3])
        return f"in meta.json: {shown}{f' and {len(found.there) - 3} more' if len(found.there) > 3 else ''}"
    if found.problem:
        return "cannot be sent"
    return f"to be sent; {found.parts} parts are" if found.parts else "to be sent"


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
