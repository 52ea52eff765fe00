"""The options of `build` and `plan` that choose what is made from a layer: its stream, and what to skip."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from bootimg import defaults
from bootimg.errors import BootimgError
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.orchestrator.selection import Selection

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
SKIP_VARIABLE = "BOOTIMG_SKIP_DISK_IMAGES"


def selection_lines(selection: Selection) -> Iterator[str]:
    """Lines that name what is not made, and why."""
    if selection.skip_reason:
        yield f"skipped    all disk images but qemu's: {printable(selection.skip_reason)}"
    yield from (f"left out   {name}: {why}" for name, why in selection.left_out.items())


def complete_streams(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The streams of the file that `--streams` names."""
    from bootimg.streams.pipeline.config import read_streams_file, stream_names

    try:
        names = stream_names(read_streams_file(ctx.params.get("streams") or defaults.STREAMS))
    except BootimgError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_OPTIONS = (
    click.option("--stream", metavar="NAME", envvar="BOOTIMG_STREAM", show_envvar=True,
                 shell_complete=complete_streams,
                 help="Make the artifacts of this stream's builds, compressed; IMAGE defaults to its layer."),
    click.option("--streams", type=click.Path(path_type=Path), default=defaults.STREAMS, show_default=True,
                 metavar="FILE", envvar="BOOTIMG_STREAMS", show_envvar=True,
                 help="The pipeline's file that describes the streams."),
    click.option("--skip-disk-images", is_flag=True, envvar=SKIP_VARIABLE, show_envvar=True,
                 help="Make only QEMU's disk image, for tests, whatever the stream has."),
    click.option("--extensions", metavar="IMAGE", envvar="BOOTIMG_EXTENSIONS", show_envvar=True,
                 help="Copy this extensions container into the build."),
)  # fmt: skip


def selection_options(function: Decorated) -> Decorated:
    """Passes `stream`, `streams`, `skip_disk_images` (the reason), `extensions` and `platforms`.

    Each but `streams` is None if not given.  Goes above `platform_option`, because it takes its `platforms`.
    """

    @functools.wraps(function)
    def with_selection(
        *args: Any,  # noqa: ANN401
        skip_disk_images: bool,
        platforms: tuple[str, ...],
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        explicit = _source("platforms") is not ParameterSource.DEFAULT
        return function(
            *args,
            skip_disk_images=_reason() if skip_disk_images else None,
            platforms=platforms if explicit else None,
            **kwargs,
        )

    decorated: Any = with_selection
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _reason() -> str:
    """The source of the setting that skips disk images."""
    from_environment = _source("skip_disk_images") is ParameterSource.ENVIRONMENT
    return f"{SKIP_VARIABLE} is set" if from_environment else "--skip-disk-images"


def _source(name: str) -> ParameterSource | None:
    return click.get_current_context().get_parameter_source(name)
