"""The options of `build` and `plan` that choose what is made from a layer: its stream, and what to skip."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.formats import Compressor
    from bootimg.orchestrator.selection import Selection
    from bootimg.platform import Platform
    from bootimg.streams.pipeline.config import StreamConfig

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
SKIP_VARIABLE = "BOOTIMG_SKIP_DISK_IMAGES"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The result of those options: the platforms, the reasons for them, and the stream if one was named."""

    platforms: tuple[Platform, ...]
    selection: Selection
    config: StreamConfig | None

    @property
    def layer(self) -> str | None:
        """The stream's layer."""
        return self.config.layer if self.config else None

    @property
    def compressor(self) -> Compressor | None:
        """The stream's compressor, for platforms for which the layer sets none."""
        return self.config.compressor if self.config else None

    @property
    def compress(self) -> bool:
        """Whether disks are compressed by default: those of a stream are, as in the pipeline."""
        return self.config is not None


@dataclass(frozen=True, slots=True)
class Words:
    """The values of the options; `explicit` says whether platforms were named."""

    stream: str | None
    streams: Path
    skip_reason: str | None
    extensions: str | None
    platforms: tuple[str, ...]
    explicit: bool

    def choose(self, arch: Arch, warn: Callable[[str], object]) -> Chosen:
        """The resulting choice; raises the errors of the streams file, of platforms, and of skipped targets.

        `warn` is called with faults in parts of the streams file that are not used.
        """
        from bootimg.orchestrator.selection import Requested, named, select

        config = self._config()
        for fault in config.faults() if config else ():
            warn(fault)
        requested = named(self.platforms, arch) if self.explicit else Requested()
        requested = replace(requested, skip_reason=self.skip_reason, extensions=self.extensions)
        return Chosen(*select(requested, config, arch), config)

    def _config(self) -> StreamConfig | None:
        if self.stream is None:
            return None
        from bootimg.streams.pipeline.config import read_stream_config, read_streams_file

        return read_stream_config(read_streams_file(self.streams), self.stream)


def layer_of(image: str | None, chosen: Chosen, words: Words) -> str:
    """The reference of the layer: IMAGE, else the stream's; a usage error if neither is given."""
    found = image or chosen.layer
    if found is not None:
        return found
    if words.stream is None:
        raise click.UsageError("name an IMAGE, or a stream with --stream")
    raise BootimgError(
        "stream-layer-missing",
        f"{words.streams} does not name the layer of the stream {words.stream}",
        hint="give it as IMAGE, or set there `layer` in the block bootimg, or the stream's import_oci_image",
        exit_code=ExitCode.USAGE,
    )


def selection_lines(selection: Selection) -> Iterator[str]:
    """Lines that name what is not made, and why."""
    if selection.skip_reason:
        yield f"skipped    all disk images but qemu's: {printable(selection.skip_reason)}"
    yield from (f"left out   {name}: {why}" for name, why in selection.left_out.items())


def _complete_streams(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from bootimg.streams.pipeline.config import read_streams_file, stream_names

    try:
        names = stream_names(read_streams_file(ctx.params.get("streams") or Path("config.yaml")))
    except BootimgError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_OPTIONS = (
    click.option("--stream", metavar="NAME", envvar="BOOTIMG_STREAM", show_envvar=True,
                 shell_complete=_complete_streams,
                 help="Make the artifacts of this stream's builds, compressed; IMAGE defaults to its layer."),
    click.option("--streams", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True,
                 metavar="FILE", envvar="BOOTIMG_STREAMS", show_envvar=True,
                 help="The pipeline's file that describes the streams."),
    click.option("--skip-disk-images", is_flag=True, envvar=SKIP_VARIABLE, show_envvar=True,
                 help="Make only QEMU's disk image, for tests, whatever the stream has."),
    click.option("--extensions", metavar="IMAGE", envvar="BOOTIMG_EXTENSIONS", show_envvar=True,
                 help="Copy this extensions container into the build."),
)  # fmt: skip


def selection_options(function: Decorated) -> Decorated:
    """Passes `words: Words`; goes above `platform_option`, because it takes its `platforms`."""

    @functools.wraps(function)
    def with_selection(
        *args: Any,  # noqa: ANN401
        stream: str | None,
        streams: Path,
        skip_disk_images: bool,
        extensions: str | None,
        platforms: tuple[str, ...],
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        explicit = _source("platforms") is not ParameterSource.DEFAULT
        reason = _reason() if skip_disk_images else None
        words = Words(stream or None, streams, reason, extensions or None, platforms, explicit)
        return function(*args, words=words, **kwargs)

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
