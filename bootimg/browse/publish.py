"""Writes the site's folder atomically; replaces only folders that bootimg made."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from bootimg.atomic import require_writable, scratch_folder, sync
from bootimg.errors import BootimgError, ExitCode

MARK = "bootimg-browse.json"
"""The file that identifies a site of bootimg."""
_CONTENT = b'{"generator": "bootimg browse", "version": 1}\n'
_PREFIX = ".bootimg-browse-"


def require_replaceable(folder: Path) -> None:
    """Refuse a foreign file or folder (`site-foreign`), and a folder that cannot be written."""
    if folder.is_mount():
        raise BootimgError(
            "folder-not-writable",
            f"{folder} is the root of a file system, which cannot be replaced as a whole",
            hint="name a folder inside it with -d",
            exit_code=ExitCode.USAGE,
        )
    if folder.is_symlink() or (folder.exists() and not _is_ours(folder)):
        raise BootimgError(
            "site-foreign",
            f"{folder} exists, and bootimg did not make it: it has no {MARK}",
            hint="name another folder with -d, or remove the existing one",
            exit_code=ExitCode.USAGE,
        )
    require_writable(folder.absolute().parent, "name a writable folder with -d")


def publish(folder: Path, files: Iterable[tuple[str, bytes]]) -> int:
    """Write the files as `folder`, replacing an older site; returns the number of files."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder.parent, _PREFIX) as scratch:
        made = scratch / "made"
        made.mkdir()
        paths = [_write(made, *each) for each in chain(files, [(MARK, _CONTENT)])]
        for path in [*paths, *sorted({each.parent for each in paths})]:
            sync(path)
        _replace(folder, made, scratch / "old")
    sync(folder.parent)
    return len(paths)


def _write(root: Path, name: str, data: bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _replace(folder: Path, made: Path, old: Path) -> None:
    require_replaceable(folder)
    if not folder.exists():
        made.rename(folder)
        return
    folder.rename(old)
    try:
        made.rename(folder)
    except BaseException:
        old.rename(folder)
        raise


def _is_ours(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    return (folder / MARK).is_file() or not any(folder.iterdir())
