"""Checks by its labels whether a layer belongs to the stream of the build."""

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
    """Refuse a layer of another stream; checks the stream label, as the pipeline does, and the version.

    `layer-stream-mismatch`, `layer-version-mismatch`.
    """
    label = labels.get(STREAM_LABEL)
    if label != stream:
        found = (
            f"its label {STREAM_LABEL} is {printable(label)[:100]}"
            if label
            else f"it lacks the label {STREAM_LABEL}"
        )
        raise BootimgError(
            "layer-stream-mismatch",
            f"{printable(reference)} is not a layer of the stream {printable(stream)}: {found}",
            hint="set --stream to the layer's stream, or name another layer",
            exit_code=ExitCode.USAGE,
        )
    if not version_fits(version, stream):
        raise BootimgError(
            "layer-version-mismatch",
            f"the version {printable(version)[:100]} does not fit the stream {printable(stream)}",
            context=[f"the layer is {printable(reference)}", *_form(stream)],
            hint="one of the two labels is wrong: correct it in the build of the layer",
            exit_code=ExitCode.USAGE,
        )


def version_fits(version: str, stream: str) -> bool:
    """Whether a version fits a stream; a stream whose name decides nothing about versions accepts all.

    A stream named after both OCP and RHEL accepts both kinds of versions: RHEL's replaced OCP's in 2025.
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
    """Whether a stream's name decides how its versions begin."""
    known = system_of_stream(stream) or ocp_of_stream(stream)
    return known is not None or stream in FEDORA_STREAMS


def _form(stream: str) -> list[str]:
    if (system := system_of_stream(stream)) is not None:
        return [f"versions of {stream} begin with {system[0]}.{system[1]}."]
    if stream in FEDORA_STREAMS:
        return [f"the third number of {stream}'s versions is {FEDORA_STREAMS[stream]}"]
    return []
