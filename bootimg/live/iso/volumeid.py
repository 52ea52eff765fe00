"""The volume id of a live ISO, by which its initramfs finds it (`coreos.liveiso=`)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.descriptors import VOLUME_ID_LENGTH

# What a GRUB script, udev's by-label links and coreos-installer take unchanged.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def volume_set_id(name: str, version: str) -> str:
    """The full name of an ISO, `<name>-<version>`; `volume-id-invalid` if it has other characters."""
    found = f"{name}-{version}"
    if not _SAFE.fullmatch(found):
        raise _invalid(found, "it may have letters, digits and . _ - only")
    return found


def volume_id(name: str, version: str, other_versions: Iterable[str] = ()) -> str:
    """The first 32 characters of `<name>-<version>`.

    Raises `volume-id-invalid` if nothing of the version is left, or if one of the `other_versions` has the
    same 32 characters: the initramfs could take another ISO for its own.
    """
    whole = volume_set_id(name, version)
    found = whole[:VOLUME_ID_LENGTH]
    if found == whole:
        return found
    if len(name) + 1 >= VOLUME_ID_LENGTH:
        raise _invalid(whole, f"its first {VOLUME_ID_LENGTH} characters have nothing of the version")
    for other in other_versions:
        if other != version and f"{name}-{other}"[:VOLUME_ID_LENGTH] == found:
            raise _invalid(whole, f"its first {VOLUME_ID_LENGTH} characters are those of version {other} too")
    return found


def fits_version(volume: str, version: str) -> bool:
    """Whether a volume id is that of some name and the version."""
    dashes = (at for at, each in enumerate(volume) if each == "-" and at)
    return any(volume == f"{volume[:at]}-{version}"[:VOLUME_ID_LENGTH] for at in dashes)


def _invalid(whole: str, why: str) -> BootimgError:
    return BootimgError(
        "volume-id-invalid",
        f"{whole!r:.200} gives no volume id for the live ISO: {why}",
        note=f"a volume id has {VOLUME_ID_LENGTH} characters",
        hint="choose a shorter version or name (com.coreos.osname of the layer)",
        exit_code=ExitCode.USAGE,
    )
