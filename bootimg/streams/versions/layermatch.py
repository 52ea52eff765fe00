"""Whether a layer is of the stream that it is built for, by its labels."""

from __future__ import annotations

from collections.abc import Mapping

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.streams.versions.nextversion import ocp_of_stream, rhel_of_ocp, system_of_stream
from bootimg.streams.versions.schemes import (
    FEDORA_STREAMS,
    FedoraVersion,
    LegacyVersion,
    RhelVersion,
    find_version,
)

STREAM_LABEL = "com.coreos.stream"


def require_stream(reference: str, labels: Mapping[str, str], version: str, stream: str) -> None:
    """Refuse a layer of another stream: by its label as the pipeline does, and by its version.

    `layer-stream-mismatch`, `layer-version-mismatch`.
    """
    label = labels.get(STREAM_LABEL)
    if label != stream:
        said = (
            f"its label {STREAM_LABEL} is {printable(label)[:100]}"
            if label
            else f"it has no label {STREAM_LABEL}"
        )
        raise BootimgError(
            "layer-stream-mismatch",
            f"{printable(reference)} is not a layer of the stream {printable(stream)}: {said}",
            hint="build it with --stream of that name, or name another layer",
            exit_code=ExitCode.USAGE,
        )
    if not version_fits(version, stream):
        raise BootimgError(
            "layer-version-mismatch",
            f"the version {printable(version)[:100]} is none of the stream {printable(stream)}",
            context=[f"the layer is {printable(reference)}", *_form(stream)],
            hint="one of the two labels is wrong: set it where the layer is made",
            exit_code=ExitCode.USAGE,
        )


def version_fits(version: str, stream: str) -> bool:
    """Whether a version may be of a stream; a name that says nothing of versions fits all.

    A stream named after both OCP and RHEL has versions of either: they were cut down to RHEL's in 2025.
    """
    found = find_version(version)
    if (system := system_of_stream(stream)) is not None:
        return isinstance(found, RhelVersion) and found.system == system
    if stream in FEDORA_STREAMS:
        return isinstance(found, FedoraVersion) and found.stream == FEDORA_STREAMS[stream]
    if (named := ocp_of_stream(stream)) is not None:
        ocp, rhel = named[0], named[1] or rhel_of_ocp(named[0])
        if isinstance(found, LegacyVersion):
            return found.ocp == ocp and rhel in (None, found.rhel)
        return isinstance(found, RhelVersion) and rhel in (None, found.system)
    return True


def tells_versions(stream: str) -> bool:
    """Whether a stream's name says anything of its versions."""
    known = system_of_stream(stream) or ocp_of_stream(stream)
    return known is not None or stream in FEDORA_STREAMS


def _form(stream: str) -> list[str]:
    if (system := system_of_stream(stream)) is not None:
        return [f"versions of {stream} begin with {system[0]}.{system[1]}."]
    if stream in FEDORA_STREAMS:
        return [f"the third number of {stream}'s versions is {FEDORA_STREAMS[stream]}"]
    return []
