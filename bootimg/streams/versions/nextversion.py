"""The version of a stream's next build, by the rule of the `versionary` programs.

The stream decides the scheme and the part before the date.  The iteration is one more than the last build's
if the rest of the version is equal, and 0 otherwise.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.versions.schemes import (
    FEDORA_STREAMS,
    Dev,
    FedoraVersion,
    LegacyVersion,
    RhelVersion,
    Version,
    find_version,
)

_RHEL = re.compile(r"rhel-([1-9][0-9]?)\.(0|[1-9][0-9]?)")
_CENTOS = re.compile(r"c([1-9][0-9]?)s")
_OCP = re.compile(r"4\.(0|[1-9][0-9]?)(?:-([0-9])\.([0-9]))?")
_LAST_LEGACY = 19
"""The last minor release of OCP whose layers contained OCP; later ones use RHEL's layers."""
_RHEL_OF_OCP = {
    (4, 12): (8, 6),
    **{(4, minor): (9, 2) for minor in (13, 14, 15)},
    **{(4, minor): (9, 4) for minor in (16, 17, 18)},
    **{(4, minor): (9, 6) for minor in (19, 20, 21)},
    (4, 22): (9, 8),
    (5, 0): (9, 8),
}


def rhel_of_ocp(ocp: tuple[int, int]) -> tuple[int, int] | None:
    """The RHEL release of an OCP release's nodes (since 4.22 it may also be RHEL 10.2)."""
    return _RHEL_OF_OCP.get(ocp)


def system_of_stream(stream: str) -> tuple[int, int] | None:
    """The release of RHEL or CentOS Stream that a stream is named after; None for any other name."""
    if found := _RHEL.fullmatch(stream):
        return int(found[1]), int(found[2])
    found = _CENTOS.fullmatch(stream)
    return (int(found[1]), 0) if found else None


def ocp_of_stream(stream: str) -> tuple[tuple[int, int], tuple[int, int] | None] | None:
    """The releases of OCP and, if the name has it, of RHEL that a stream is named after."""
    found = _OCP.fullmatch(stream)
    if found is None:
        return None
    return (4, int(found[1])), (int(found[2]), int(found[3])) if found[2] else None


def next_version(
    stream: str,
    last: str | None,
    now: datetime,
    *,
    dev: bool = False,
    iteration: int | None = None,
    release: int | None = None,
) -> Version:
    """The version of the stream's next build; `last` is the id of the newest build, None without builds.

    `release` is Fedora's, because the names of Fedora's streams do not contain it; default: the last build's.
    `iteration` overrides the rule.  Errors: `stream-version-unknown`, `version-iteration-unknown`.
    """
    before = find_version(last) if last else None
    made = _first(stream, before, now, release)
    if not isinstance(made, LegacyVersion) and dev:
        made = replace(made, dev=Dev.BEFORE if isinstance(made, FedoraVersion) else Dev.AFTER)
    if iteration is None:
        if isinstance(made, FedoraVersion) and not dev:
            raise _uncounted(stream)
        iteration = before.iteration + 1 if before and before.prefix == made.prefix else 0
    return replace(made, iteration=iteration)


def _first(stream: str, last: Version | None, now: datetime, release: int | None) -> Version:
    """The version of the stream at the time `now`, with iteration 0."""
    date = now.strftime("%Y%m%d")
    if (system := system_of_stream(stream)) is not None:
        return RhelVersion(system, date)
    if stream in FEDORA_STREAMS:
        known = last.release if isinstance(last, FedoraVersion) else None
        return FedoraVersion(release or known or _no_release(stream), date, FEDORA_STREAMS[stream])
    return LegacyVersion(*_releases(stream), now.strftime("%Y%m%d%H%M"))


def _releases(stream: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The releases of OCP and RHEL of a stream whose layers contain both."""
    if (named := ocp_of_stream(stream)) is not None:
        ocp, rhel = named[0], named[1] or rhel_of_ocp(named[0])
        if rhel and ocp[1] <= _LAST_LEGACY:
            return ocp, rhel
    raise _unknown(
        stream,
        "its name has neither RHEL X.Y nor an OCP release up to 4.19",
        "streams have names such as rhel-9.6, c9s, 4.19-9.6, or Fedora's names",
    )


def _no_release(stream: str) -> NoReturn:
    raise _unknown(
        stream,
        "its release of Fedora is known only from a last build, and it has no builds",
        "set the release with --release",
    )


def _unknown(stream: str, why: str, hint: str) -> BootimgError:
    return BootimgError(
        "stream-version-unknown",
        f"the versions of the stream {stream[:80]!r} are not known: {why}",
        hint=hint,
        exit_code=ExitCode.USAGE,
    )


def _uncounted(stream: str) -> BootimgError:
    return BootimgError(
        "version-iteration-unknown",
        f"the iteration of a version of {stream} is counted in its configuration, which is not here",
        hint="set --iteration to the number of commits since that date, or use --dev",
        exit_code=ExitCode.USAGE,
    )
