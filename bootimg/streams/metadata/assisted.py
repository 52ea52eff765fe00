"""The records of live ISOs for assisted-service (its data/default_os_images.json)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.metadata.stream import Stream, StreamArtifact
from bootimg.urls import joined

MIRROR = "https://mirror.openshift.com/pub/openshift-v4"
_VERSION = re.compile(r"(\d+\.\d+)(\.\d+[A-Za-z0-9.-]*)?")


def os_images(stream: Stream, openshift: str) -> Sequence[Mapping[str, str]]:
    """A record for each architecture with a live ISO.

    With `openshift` such as 4.19 the URL is the stream's own.  With 4.19.19 it is the mirror's, where file
    names have OpenShift's version.  Any other form is `stream-argument-invalid`.
    """
    match = _VERSION.fullmatch(openshift)
    if match is None:
        raise BootimgError(
            "stream-argument-invalid",
            f"{openshift!r:.80} is not a version of OpenShift",
            hint="write 4.19 for the stream's own URLs, or 4.19.19 for those of mirror.openshift.com",
            exit_code=ExitCode.USAGE,
        )
    minor, patch = match.groups()
    return [
        {
            "openshift_version": minor,
            "cpu_architecture": arch.row.names.assisted,
            "url": mirrored(arch, minor, openshift) if patch else iso.location,
            "version": stream.architectures[arch].artifacts["metal"].release,
        }
        for arch in Arch
        if (iso := live_iso(stream, arch)) is not None
    ]


def encoded(records: Sequence[Mapping[str, str]]) -> bytes:
    """The records as a file, indented as assisted-service's file."""
    return json.dumps(records, indent=4).encode() + b"\n"


def live_iso(stream: Stream, arch: Arch) -> StreamArtifact | None:
    """The live ISO of an architecture; None if it has none."""
    found = stream.architectures.get(arch.value)
    metal = found.artifacts.get("metal") if found else None
    iso = metal.formats.get("iso") if metal else None
    return iso.disk if iso else None


def mirrored(arch: Arch, minor: str, version: str) -> str:
    """The live ISO's URL on the mirror; since 4.19 the file name has OpenShift's version."""
    name = f"rhcos-{version}-{arch}-live-iso.{arch}.iso"
    return joined(MIRROR, f"{arch}/dependencies/rhcos/{minor}/{version}/{name}")
