"""What an argument names: an existing build, or else an image or a file."""

from __future__ import annotations

import errno
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds.find import Build, find_build
from bootimg.builds.layout import LATEST, META
from bootimg.vm.image import is_archive

# Longer than a name can be: the argument may be something else.
_NO_PATH = errno.ENAMETOOLONG


def named_build(what: str, builds: Path, arch: Arch) -> Build | None:
    """The build that `what` names: `latest`, an id in `builds`, its folder or its meta.json.

    None if it names no build; raises `build-not-found` if it cannot name anything else.
    """
    path = Path(what)
    try:
        is_build = _is_build(path, what, builds)
    except OSError as error:
        if error.errno != _NO_PATH:
            raise
        return None
    if not is_build:
        return None
    return find_build(builds, what if what == LATEST else _build_name(path), arch)


def is_disk(path: Path) -> bool:
    """Whether a path is treated as a disk image or an ISO: a file that is not an archive, or a device."""
    from bootimg.layer.fetching.packedarchive import is_packed_archive

    try:
        if path.is_block_device() or not path.is_file():
            return path.is_block_device()
    except OSError as error:
        if error.errno != _NO_PATH:
            raise
        return False
    return not is_archive(path) and not is_packed_archive(path)


def _is_build(path: Path, what: str, builds: Path) -> bool:
    if what == LATEST or path.name == META:
        return True
    if path.is_dir():
        return any((path / arch / META).is_file() for arch in ("", *Arch))
    return "/" not in what and (builds / what).is_dir()


def _build_name(path: Path) -> str:
    """The build's name for `find_build`; a folder's name becomes a path that cannot be an id."""
    return str(path.absolute()) if path.exists() else str(path)
