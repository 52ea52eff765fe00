"""What the keywords of a build choose: platforms, layer, compressor, and the purity check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg import defaults
from bootimg.api.keywords import BuildKeywords
from bootimg.arch import Arch
from bootimg.builds.find import Build
from bootimg.checks.purity import Purity
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.orchestrator.rebuild import PurityCheck, purity_check
from bootimg.orchestrator.selection import Requested, Selection, named, select
from bootimg.platform import Platform
from bootimg.streams.pipeline.config import StreamConfig, read_stream_config, read_streams_file


class LayerUnclear(BootimgError):
    """The layer is named by nothing, or `both` by an image and by an existing build."""

    def __init__(self, *, both: bool) -> None:
        choices = "an image or a build with from_build"
        super().__init__(
            "command-line-invalid",
            f"name either {choices}" if both else f"name {choices}, or a stream",
            exit_code=ExitCode.USAGE,
        )
        self.both = both


@dataclass(frozen=True, slots=True)
class Choice:
    """The platforms of a build, the reasons for them, and its stream if one was named."""

    platforms: tuple[Platform, ...]
    selection: Selection
    stream: StreamConfig | None = None

    @property
    def compress(self) -> bool:
        """Whether disks are compressed by default: those of a stream are, as in the pipeline."""
        return self.stream is not None

    @property
    def compressor(self) -> Compressor | None:
        """The stream's compressor, for platforms for which the layer sets none."""
        return self.stream.compressor if self.stream else None


def choose(keywords: BuildKeywords, arch: Arch, events: Events) -> Choice:
    """What the keywords choose; raises the errors of the streams file, of platforms, and of skipped targets.

    Empty texts count as not given.  Faults in parts of the streams file that are not used become warnings in
    `events`.
    """
    stream = stream_of(keywords)
    for fault in stream.faults() if stream else ():
        events.message(fault, "warning")
    platforms = keywords.get("platforms")
    requested = replace(
        Requested() if platforms is None else named(platforms, arch),
        skip_reason=keywords.get("skip_disk_images") or None,
        extensions=keywords.get("extensions") or None,
    )
    return Choice(*select(requested, stream, arch), stream)


def stream_of(keywords: BuildKeywords) -> StreamConfig | None:
    """The stream that the keywords name, if any; raises the errors of the streams file."""
    name = keywords.get("stream")
    if not name:
        return None
    return read_stream_config(read_streams_file(Path(keywords.get("streams", defaults.STREAMS))), name)


def layer_of(image: str | None, stream: StreamConfig | None) -> str:
    """The reference of the layer: `image`, else the stream's.

    Raises `LayerUnclear` without image and stream, and `stream-layer-missing` if the stream has no layer.
    """
    found = image or (stream.layer if stream else None)
    if found:
        return found
    if stream is None:
        raise LayerUnclear(both=False)
    raise BootimgError(
        "stream-layer-missing",
        f"{stream.file} does not name the layer of the stream {stream.name}",
        hint="give it as IMAGE, or set there `layer` in the block bootimg, or the stream's import_oci_image",
        exit_code=ExitCode.USAGE,
    )


def purity_of(
    given: Purity | str | None, allow: Sequence[str], choice: Choice, build: Build | None = None
) -> tuple[Purity, tuple[str, ...]]:
    """The purity level and the allowed names for a layer.

    They are those given, else those of the last run of `build`, else the stream's.  Where disk images are
    skipped, content of OpenShift is expected: it is reported and recorded, not refused.
    """
    before = purity_check(build) if build else PurityCheck()
    rules = choice.stream.purity if choice.stream else None
    level = Purity(given or before.purity or (rules.level if rules else defaults.PURITY))
    if not (given or before.purity) and level is Purity.ERROR and choice.selection.skip_reason:
        level = Purity.WARN
    if before.allow is not None and not allow:
        return level, before.allow
    return level, (*allow, *(rules.allow if rules else ()))
