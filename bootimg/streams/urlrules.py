"""Rules about where a stream says that files are, which consumers take apart and rewrite."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bootimg.streams.findings import Against, Finding
from bootimg.streams.inventory import ARTIFACTS, Place, inventory
from bootimg.streams.stream import Stream

# The layout that coreos-assembler uploads; its readers take release and architecture out of it.
_LOCATION = re.compile(
    r"(?P<base>https?://[^/?#\s]+(?:/[^/?#\s]+)*)/(?P<stream>[^/?#\s]+)/builds"
    r"/(?P<release>[^/?#\s]+)/(?P<arch>[^/?#\s]+)/(?P<file>[^/?#\s]+)"
)
# The image machine-os-images puts its own host before what follows this in a location.
_CUT = ".com/art/"
_MIRROR = "rhcos.mirror.openshift.com"


def url_findings(stream: Stream, against: Against) -> Iterator[Finding]:
    """What is wrong with locations, and with the stream's name, which is part of them."""
    names, bases = set(), set()
    for place, item in inventory(stream).items():
        if place.section != ARTIFACTS:
            continue
        match = _LOCATION.fullmatch(item.values["location"])
        if match is None:
            location = f"{item.values['location']:.300}"
            yield Finding(
                "url-shape", str(place), f"{location} is not https://…/STREAM/builds/BUILD/ARCH/FILE"
            )
            continue
        names.add(match["stream"])
        bases.add(match["base"])
        yield from _parts(place, item.release or "", match)
        yield from _signature(place, item.values)
    yield from _names(stream, names if against.name is None else {against.name} | names)
    yield from _bases(bases, against.base)


def _parts(place: Place, release: str, match: re.Match[str]) -> Iterator[Finding]:
    for part, wanted in (("release", release), ("arch", place.arch)):
        if match[part] != wanted:
            yield Finding("url-shape", str(place), f"its URL is of {part} {match[part]}, not {wanted}")
    if f"-{release}-" not in match["file"] or f".{place.arch}" not in match["file"]:
        yield Finding("url-shape", str(place), f"{match['file']} does not name release and architecture")


def _signature(place: Place, values: Mapping[str, str]) -> Iterator[Finding]:
    location, signature = values["location"], values.get("signature")
    if signature is not None and signature != f"{location}.sig":
        yield Finding("signature-url", str(place), f"{signature:.300} is not its location and .sig")


def _names(stream: Stream, names: set[str]) -> Iterator[Finding]:
    """plume never updates the name of a file that it bumps."""
    if names - {stream.stream}:
        found = ", ".join(sorted(names - {stream.stream}))
        message = f"it is {stream.stream:.80}, where URLs or --name say {found}"
        yield Finding("stream-name", "stream", message)


def _bases(bases: set[str], wanted: str | None) -> Iterator[Finding]:
    if wanted is not None:
        for base in sorted(bases - {wanted}):
            yield Finding("url-base", "architectures", f"files are at {base}, not at {wanted}")
        return
    if len(bases) > 1:
        yield Finding("url-base", "architectures", f"files are in several places: {', '.join(sorted(bases))}")
    for base in sorted(bases):
        if base.startswith("http:"):
            yield Finding("url-base", "architectures", f"{base} is not https")
        if _MIRROR in base and _CUT not in f"{base}/":
            message = f"{base} lacks {_CUT}, at which machine-os-images cuts it"
            yield Finding("url-base", "architectures", message)
