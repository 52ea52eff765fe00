"""NetworkManager's keyfiles in a CoreOS ISO, which the live system takes over before its first boot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bootimg.atomic import write_whole
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.embed.coreosiso import Change, CoreosIso
from bootimg.live.embed.edit import require_absent
from bootimg.live.embed.filled import already_filled, nothing_there
from bootimg.live.embed.initrd import NETWORK
from bootimg.live.embed.places import invalid_area
from bootimg.live.iso.infofiles import FEATURES, NETWORK_FEATURE


def read_keyfiles(paths: Iterable[Path]) -> dict[str, bytes]:
    """Keyfiles by name.

    Raises `iso-keyfile-twice` for two of one name, and `iso-keyfile-invalid` for a file that cannot be read,
    or whose name `keyfiles` would refuse.
    """
    found: dict[str, bytes] = {}
    for path in paths:
        if path.name in found:
            raise BootimgError(
                "iso-keyfile-twice",
                f"two keyfiles are named {path.name}",
                hint="rename one of them: the ISO keeps all in one folder",
                exit_code=ExitCode.USAGE,
            )
        if not path.name.isprintable():
            raise _invalid(path, "the name has characters that cannot be printed")
        try:
            found[path.name] = path.read_bytes()
        except OSError as error:
            raise _invalid(path, f"it cannot be read: {error.strerror}") from None
    return found


def _invalid(path: Path, why: str) -> BootimgError:
    return BootimgError(
        "iso-keyfile-invalid",
        f"the keyfile {str(path)!r:.200} cannot be embedded: {why}",
        hint="give a keyfile of NetworkManager, named <connection>.nmconnection",
        exit_code=ExitCode.USAGE,
    )


def keyfiles(iso: CoreosIso) -> dict[str, bytes]:
    """The keyfiles that are embedded, by name; `iso-area-empty` if there are none."""
    found = {path: data for path, data in iso.files.items() if path.startswith(NETWORK)}
    if not found:
        raise nothing_there("network configuration")
    return {_name(path): data for path, data in found.items()}


def embed_keyfiles(iso: CoreosIso, files: Mapping[str, bytes], *, force: bool) -> list[Change]:
    """The change that embeds keyfiles in place of any that are there.

    Raises `iso-area-filled` if there are some and `force` is false, `iso-area-missing` if the live system
    does not read them, and `iso-area-too-small`.
    """
    if not iso.has_network:
        raise BootimgError(
            "iso-area-missing",
            "the live system of the ISO does not take its network from the ISO",
            context=[f"{FEATURES} does not have {NETWORK_FEATURE}"],
            hint="take a live ISO of a newer release",
            exit_code=ExitCode.USAGE,
        )
    kept = _others(iso)
    if len(kept) < len(iso.files) and not force:
        raise already_filled("network configuration")
    return iso.with_files(kept | {NETWORK + name: data for name, data in files.items()})


def remove_keyfiles(iso: CoreosIso) -> list[Change]:
    """The change that removes the keyfiles, if there are some."""
    return iso.with_files(_others(iso))


def extract_keyfiles(files: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Write keyfiles to a folder; an existing file is `output-exists`, and then nothing is written."""
    targets = {folder / name: data for name, data in files.items()}
    require_absent(targets)
    for path, data in targets.items():
        # They may have passwords of networks.
        write_whole(path, data, 0o600)
    return list(targets)


def _others(iso: CoreosIso) -> dict[str, bytes]:
    return {path: data for path, data in iso.files.items() if not path.startswith(NETWORK)}


def _name(path: str) -> str:
    name = path.removeprefix(NETWORK)
    if "/" in name or name in ("", ".", "..") or not name.isprintable():
        raise invalid_area(f"the keyfile {path!r:.200} has no name that a folder can have")
    return name
