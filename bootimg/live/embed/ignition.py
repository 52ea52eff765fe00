"""The Ignition config in a CoreOS ISO."""

from __future__ import annotations

from bootimg.live.embed.coreosiso import Change, CoreosIso
from bootimg.live.embed.filled import already_filled, nothing_there
from bootimg.live.embed.initrd import IGNITION


def ignition_config(iso: CoreosIso) -> bytes:
    """The config that is embedded; `iso-area-empty` if there is none."""
    if IGNITION not in iso.files:
        raise nothing_there("Ignition config")
    return iso.files[IGNITION]


def embed_ignition(iso: CoreosIso, config: bytes, *, force: bool) -> list[Change]:
    """The change that embeds a config.

    Raises `iso-area-filled` if there is one and `force` is false, and `iso-area-too-small`.
    """
    if IGNITION in iso.files and not force:
        raise already_filled("an Ignition config")
    return iso.with_files(iso.files | {IGNITION: config})


def remove_ignition(iso: CoreosIso) -> list[Change]:
    """The change that removes the config, if there is one."""
    return iso.with_files({path: data for path, data in iso.files.items() if path != IGNITION})
