"""Rules about the URLs of a stream's files, which consumers parse and rewrite."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from bootimg.streams.lint.findings import Against, Level, StreamFinding
from bootimg.streams.metadata.inventory import ARTIFACTS, Place, inventory
from bootimg.streams.metadata.stream import Stream
from bootimg.urls import quoted

# The layout of coreos-assembler's uploads; its readers extract release and architecture from the URL.
_PART = r"[^/?#\s]+"
_BASE = rf"(?P<base>https?://{_PART}(?:/{_PART})*"
_LOCATION = re.compile(
    rf"{_BASE})/(?P<stream>{_PART})/builds/(?P<release>{_PART})/(?P<arch>{_PART})/(?P<file>{_PART})"
)
# The layout of RHEL CoreOS until 4.12; there each architecture except x86_64 has its own stream.
_OLD_LOCATION = re.compile(
    rf"{_BASE}/releases)/(?P<stream>{_PART})/(?P<release>{_PART})/(?P<arch>{_PART})/(?P<file>{_PART})"
)
_SHAPE = "https://…/STREAM/builds/BUILD/ARCH/FILE"
# The image machine-os-images replaces everything up to this part of a location with its own host.
_CUT = ".com/art/"
_MIRROR = "rhcos.mirror.openshift.com"


def url_findings(stream: Stream, against: Against) -> Iterator[StreamFinding]:
    """Findings about the locations, and about the stream's name, which is part of them."""
    names: dict[str, set[str]] = {}
    bases: dict[str, set[str]] = {}
    for place, item in inventory(stream).items():
        if place.section != ARTIFACTS:
            continue
        location = item.values["location"]
        match = _LOCATION.fullmatch(location) or _OLD_LOCATION.fullmatch(location)
        if match is None:
            yield StreamFinding("url-shape", str(place), f"{location:.300} is not {_SHAPE}")
            continue
        bases.setdefault(place.arch, set()).add(match["base"])
        yield from _layout(place, match)
        names.setdefault(place.arch, set()).add(_stream_in(place, match))
        yield from _parts(place, item.release or "", match)
        yield from _signature(place, item.values)
    yield from _names(stream, names, against.name)
    yield from _bases(bases, against.base)


def _layout(place: Place, match: re.Match[str]) -> Iterator[StreamFinding]:
    if match.re is _OLD_LOCATION:
        message = f"{match[0]:.300} is in the layout until 4.12, not {_SHAPE}"
        yield StreamFinding("url-shape", str(place), message, Level.NOTE)
    for part in ("stream", "release", "arch", "file"):
        if quoted(unquote(match[part])) != match[part]:
            message = f"{match[part]:.200} must be quoted in a URL as {quoted(unquote(match[part]))}"
            yield StreamFinding("url-quoting", str(place), message, Level.WARNING)


def _stream_in(place: Place, match: re.Match[str]) -> str:
    name = unquote(match["stream"])
    return name.removesuffix(f"-{place.arch}") if match.re is _OLD_LOCATION else name


def _parts(place: Place, release: str, match: re.Match[str]) -> Iterator[StreamFinding]:
    for part, wanted in (("release", release), ("arch", place.arch)):
        if (found := unquote(match[part])) != wanted:
            yield StreamFinding("url-shape", str(place), f"its URL has {part} {found}, not {wanted}")
    file = unquote(match["file"])
    if f"-{release}-" not in file or f".{place.arch}" not in file:
        # The name of the kernel of live media until 2024.
        old_kernel = file.endswith(f"-{release}-live-kernel-{place.arch}")
        level = Level.NOTE if old_kernel else Level.ERROR
        yield StreamFinding("url-shape", str(place), f"{file} lacks the release or architecture", level)


def _signature(place: Place, values: Mapping[str, str]) -> Iterator[StreamFinding]:
    location, signature = values["location"], values.get("signature")
    if signature is not None and signature != f"{location}.sig":
        yield StreamFinding("signature-url", str(place), f"{signature:.300} is not its location with .sig")


def _names(stream: Stream, names: Mapping[str, set[str]], wanted: str | None) -> Iterator[StreamFinding]:
    """Findings about the name; plume never updates it, so shipped streams have other names than URLs."""
    if wanted is not None and wanted != stream.stream:
        yield StreamFinding("stream-name", "stream", f"it is {stream.stream:.80}, not {wanted}")
    others = set().union(*names.values()) - {stream.stream}
    if others:
        message = f"it is {stream.stream:.80}, but URLs have {', '.join(sorted(others))}"
        yield StreamFinding("stream-name", "stream", message, _level(names))


def _level(by_arch: Mapping[str, set[str]]) -> Level:
    """The severity of differing values: an error if they differ within an architecture, else a note."""
    return Level.ERROR if any(len(each) > 1 for each in by_arch.values()) else Level.NOTE


def _bases(by_arch: Mapping[str, set[str]], wanted: str | None) -> Iterator[StreamFinding]:
    bases = set().union(*by_arch.values())
    if wanted is not None:
        for base in sorted(bases - {wanted}):
            yield StreamFinding("url-base", "architectures", f"files are at {base}, not at {wanted}")
        return
    if len(bases) > 1:
        message = f"files are in several places: {', '.join(sorted(bases))}"
        yield StreamFinding("url-base", "architectures", message, _level(by_arch))
    for base in sorted(bases):
        if base.startswith("http:"):
            yield StreamFinding("url-base", "architectures", f"{base} is not https")
        if _MIRROR in base and _CUT not in f"{base}/":
            message = f"{base} lacks {_CUT}, where machine-os-images splits it"
            yield StreamFinding("url-base", "architectures", message)
