"""Rules about the content of a stream alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootimg.platform import platforms
from bootimg.streams.lint.findings import Against, Level, StreamFinding
from bootimg.streams.metadata.inventory import ARTIFACTS, IMAGES, Place, inventory
from bootimg.streams.metadata.stream import Stream

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMPRESSED = (".gz", ".xz", ".zst", ".zip")


def content_findings(stream: Stream, against: Against) -> Iterator[StreamFinding]:
    """Findings about the content."""
    yield from _empty(stream)
    yield from _missing_platforms(stream, against)
    yield from _missing_extensions(stream)
    if not against.mixed:
        yield from _mixed_releases(stream)
    yield from _digests(stream)
    yield from _signatures(stream, against.signatures)


def _empty(stream: Stream) -> Iterator[StreamFinding]:
    """Empty parts: coreos-assembler writes `metal` without formats, and consumers fail when they index it."""
    if not stream.architectures:
        yield StreamFinding("empty-stream", "architectures", "the stream has no architecture")
    for arch, each in stream.architectures.items():
        if not each.artifacts:
            yield StreamFinding("empty-architecture", arch, "it has no artifacts")
        for name, platform in each.artifacts.items():
            place = Place(arch, ARTIFACTS, name, "")
            if not platform.formats:
                yield StreamFinding("empty-formats", str(place), "the platform has no format: omit it")
            for kind, files in platform.formats.items():
                if not files.files():
                    yield StreamFinding(
                        "empty-formats", str(place._replace(part=kind)), "the format has no file"
                    )
        for name, cloud in each.images.items():
            if not (cloud.regions or cloud.release):
                level = Level.NOTE if cloud.is_image else Level.ERROR
                message = "the image has no release" if cloud.is_image else "it has no image"
                yield StreamFinding("empty-images", str(Place(arch, IMAGES, name, "")), message, level)


def _missing_platforms(stream: Stream, against: Against) -> Iterator[StreamFinding]:
    for name, arch in stream.architectures.items():
        for platform in against.expected:
            key, form = platform.release_key
            formats = arch.artifacts[key].formats if key in arch.artifacts else {}
            if name in platform.arches and not any(_is_form(each, form) for each in formats):
                place = Place(name, ARTIFACTS, key, form)
                yield StreamFinding("missing-platform", str(place), "it is expected and missing")


def _is_form(found: str, form: str) -> bool:
    """Whether a format is `form`, compressed or not."""
    return found == form or found in {form + suffix for suffix in _COMPRESSED}


def _missing_extensions(stream: Stream) -> Iterator[StreamFinding]:
    """The machine-config-operator requires the extensions of every architecture with Azure images."""
    for name, arch in stream.architectures.items():
        files = [file for each in arch.artifacts.values() for kind in each.formats.values()
                 for file in kind.files().values()]  # fmt: skip
        fedora = any("/fedora-coreos-" in file.location for file in files)
        if "azure" in arch.artifacts and not fedora and arch.rhel_coreos_extensions is None:
            message = "it has Azure images, and clusters look for their entry here"
            yield StreamFinding("missing-extensions", f"{name} rhel-coreos-extensions", message)


def _mixed_releases(stream: Stream) -> Iterator[StreamFinding]:
    """Several releases, which the format allows, because every platform has its own release.

    Installers have shipped streams in which architectures, or cloud images, have different releases.  But
    the files of one architecture always had the same release.
    """
    releases: dict[str, Place] = {}
    of_files: dict[str, set[str]] = {}
    for place, item in inventory(stream).items():
        if item.release:
            releases.setdefault(item.release, place)
            if place.section == ARTIFACTS:
                of_files.setdefault(place.arch, set()).add(item.release)
    if len(releases) > 1:
        level = Level.ERROR if any(len(each) > 1 for each in of_files.values()) else Level.NOTE
        message = "; ".join(f"{release} at {place}" for release, place in sorted(releases.items()))
        yield StreamFinding("mixed-releases", "architectures", f"it has several releases: {message}", level)


def _digests(stream: Stream) -> Iterator[StreamFinding]:
    own = {each.release_key for each in platforms().values() if each.skip_compression}
    for place, item in inventory(stream).items():
        if place.section != ARTIFACTS:
            continue
        plain = item.values.get("uncompressed-sha256")
        for digest in (item.values["sha256"], plain):
            if digest is not None and not _SHA256.fullmatch(digest):
                yield StreamFinding("digest-malformed", str(place), f"{digest!r:.80} is not a SHA-256 in hex")
        compressed = _compressed(place, own)
        if compressed is not None and compressed != (plain is not None):
            message = "a compressed file lacks it" if compressed else "the file is not compressed"
            yield StreamFinding("digest-missing" if compressed else "digest-needless", str(place),
                          f"uncompressed-sha256: {message}")  # fmt: skip


def _compressed(place: Place, own: set[tuple[str, str]]) -> bool | None:
    """Whether the file is a compressed disk; None if the platform's own format is compressed."""
    form = place.part.rpartition(" ")[0]
    if (place.name, form) in own and form.endswith(_COMPRESSED):
        return None
    return form.endswith(_COMPRESSED)


def _signatures(stream: Stream, wanted: bool) -> Iterator[StreamFinding]:
    """coreos-installer refuses a stream in which an artifact lacks its signature's URL."""
    files = {place: item for place, item in inventory(stream).items() if place.section == ARTIFACTS}
    unsigned = [place for place, item in files.items() if "signature" not in item.values]
    if not unsigned:
        return
    if len(unsigned) < len(files) or wanted:
        # An installer has shipped a stream with signatures for some architectures only.
        signed = {place.arch for place in files.keys() - set(unsigned)}
        for place in unsigned:
            level = Level.ERROR if wanted or place.arch in signed else Level.NOTE
            message = "coreos-installer cannot read the stream without this signature"
            yield StreamFinding("signature-missing", str(place), message, level)
    else:
        message = "no artifact has a signature: coreos-installer cannot read this stream"
        yield StreamFinding("signature-missing", stream.stream, message, Level.WARNING)
