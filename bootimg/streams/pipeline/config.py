"""The streams of a pipeline: its config.yaml, with an optional block for bootimg.

The keys are those of coreos/fedora-coreos-pipeline's docs/config.yaml; keys that bootimg does not need are
ignored.  docs/streams.md describes the block `bootimg`; unknown keys in it are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats import Compressor
from bootimg.printable import printable
from bootimg.streams.pipeline.artifactlists import resolve_artifacts
from bootimg.streams.pipeline.destinations import Destinations, read_destinations
from bootimg.streams.pipeline.malformed import as_warning
from bootimg.streams.pipeline.section import Section, parse_config, substitute
from bootimg.untrusted.files import read_start
from bootimg.untrusted.yamlfile import LIMIT

SKIP = "skip_disk_images"
_COMMON = ("layer", "extensions", "compressor", "purity")
Word = TypeVar("Word", bound=StrEnum)


class StreamType(StrEnum):
    """How a stream is built: by hand from locked packages, automatically, or from the newest packages."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"
    MECHANICAL = "mechanical"


class PurityLevel(StrEnum):
    """How to treat OpenShift's content in a layer."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purity:
    """The purity level of a stream's layers, and the names of content that they may have."""

    level: PurityLevel = PurityLevel.ERROR
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamConfig:
    """One stream.

    `layer` and `extensions` are image references; `extensions` may still contain `${VERSION}`.  `artifacts`
    have the pipeline's names and order.  `compressor` applies if the layer's image.json sets none.
    `skip_disk_images` is the reason, or None.

    Parts that no command uses yet are read only on access, so that a fault in them does not stop a build.
    """

    config: Section
    stream: Section
    name: str
    layer: str | None
    extensions: str | None
    arches: tuple[Arch, ...]
    artifacts: Mapping[Arch, tuple[str, ...]]
    compressor: Compressor | None
    skip_disk_images: str | None
    purity: Purity = field(default_factory=Purity)

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.config.file

    @property
    def type(self) -> StreamType | None:
        """How the stream is built, None if the file does not say it; `streams-file-malformed`."""
        return _word(self.stream, "type", StreamType)

    @property
    def uploads(self) -> Destinations:
        """The destinations of its builds; `streams-file-malformed`."""
        return read_destinations(self.config, self.stream, self.name)

    def faults(self) -> Sequence[str]:
        """The faults in parts that no command uses yet, as warnings."""
        found: list[BootimgError] = []
        read_destinations(self.config, self.stream, self.name, found.append)
        try:
            _ = self.type
        except BootimgError as error:
            found.append(error)
        return [as_warning(each, self.file) for each in found]


def read_streams_file(path: Path) -> Section:
    """A complete streams file; `streams-file-unreadable`, `streams-file-malformed`."""
    try:
        data = read_start(path, LIMIT, any_kind=True)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file name is invalid"
        raise BootimgError(
            "streams-file-unreadable",
            f"the streams file {str(path)!r:.200} cannot be read: {why}",
            hint="name the pipeline's config.yaml with --streams or BOOTIMG_STREAMS",
            exit_code=ExitCode.USAGE,
        ) from None
    return parse_config(data, str(path))


def stream_names(config: Section) -> tuple[str, ...]:
    """The names of the streams in a file."""
    return tuple(config.section("streams").tree)


def read_stream_config(config: Section, name: str) -> StreamConfig:
    """The stream `name`; `stream-unknown` if the file does not have it."""
    if name not in (names := stream_names(config)):
        raise BootimgError(
            "stream-unknown",
            f"{config.file} does not have a stream {printable(name)!r:.100}",
            hint=f"its streams are {printable(', '.join(names))[:500] or 'none'}",
            exit_code=ExitCode.USAGE,
        )
    stream, (common, own) = config.section("streams").section(name), _blocks(config, name)
    arches = _arches(config, stream)
    return StreamConfig(
        config=config,
        stream=stream,
        name=name,
        layer=_layer(common, own, stream, name),
        extensions=_reference(own, "extensions", name) or _reference(common, "extensions", name),
        arches=arches,
        artifacts={arch: resolve_artifacts(config, stream, arch) for arch in arches},
        compressor=_word(own, "compressor", Compressor) or _word(common, "compressor", Compressor),
        skip_disk_images=_skip(own, name) or _skip(stream, name),
        purity=_purity(own) or _purity(common) or Purity(),
    )


def _blocks(config: Section, name: str) -> tuple[Section, Section]:
    """The settings of the block `bootimg` for all streams, and for this one."""
    common = config.section("bootimg").only(*_COMMON, "streams")
    streams = common.section("streams").only(*stream_names(config))
    return common, streams.section(name).only(*_COMMON, SKIP)


def _arches(config: Section, stream: Section) -> tuple[Arch, ...]:
    """x86_64 and the additional architectures; unknown architectures are ignored."""
    key = "additional_arches"
    added = stream.texts(key) or config.texts(key)
    skipped = stream.texts(f"skip_{key}")
    names = {Arch.X86_64.value, *(name for name in added if name not in skipped)}
    return tuple(arch for arch in Arch if arch in names)


def _layer(common: Section, own: Section, stream: Section, name: str) -> str | None:
    places = ((own, "layer"), (stream, "import_oci_image"), (common, "layer"))
    found = next(filter(None, (_reference(section, word, name) for section, word in places)), None)
    if found is not None and "${" in found:
        raise own.error("layer", f"has an unknown variable: {found}")
    return found


def _reference(section: Section, key: str, name: str) -> str | None:
    text = section.text(key)
    return substitute(text, STREAM=name) if text else None


def _word(section: Section, key: str, kind: type[Word]) -> Word | None:
    text = section.word(key)
    if text is not None and text not in list(kind):
        raise section.error(key, f"is {text!r:.80}, which is not one of {', '.join(kind)}")
    return kind(text) if text is not None else None


def _skip(section: Section, name: str) -> str | None:
    """The reason in the file, or a text that names the setting; None if it is not set."""
    if isinstance(section.tree.get(SKIP), str):
        return section.text(SKIP)
    return f"{section.at(SKIP)} is true in {Path(section.file).name}" if section.flag(SKIP) else None


def _purity(section: Section) -> Purity | None:
    """The purity setting: a level, or an object with `level` and `allow`."""
    if not isinstance(section.tree.get("purity"), dict):
        level = _word(section, "purity", PurityLevel)
        return Purity(level=level) if level else None
    inner = section.section("purity").only("level", "allow")
    return Purity(level=_word(inner, "level", PurityLevel) or PurityLevel.ERROR, allow=inner.texts("allow"))
