"""The site's folder: there whole or not at all, and nothing replaced that is not bootimg's."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from bootimg.atomic import require_writable, scratch_folder, sync
from bootimg.errors import BootimgError, ExitCode

MARK = "bootimg-browse.json"
"""The file by which a site is known."""
_CONTENT = b'{"generator": "bootimg browse", "version": 1}\n'
_PREFIX = ".bootimg-browse-"


def require_replaceable(folder: Path) -> None:
    """Refuse a place that has something else (`site-foreign`), or where nothing can be written."""
    if folder.is_mount():
        raise BootimgError(
            "folder-not-writable",
            f"{folder} is the root of a file system, which cannot be replaced as a whole",
            hint="give a folder inside of it with -o",
            exit_code=ExitCode.USAGE,
        )
    if folder.is_symlink() or (folder.exists() and not _is_ours(folder)):
        raise BootimgError(
            "site-foreign",
            f"{folder} is there, and is no site that bootimg made: it has no {MARK}",
            hint="give another folder with -o, or remove what is there",
            exit_code=ExitCode.USAGE,
        )
    require_writable(folder.absolute().parent, "give a folder with -o that can be written")


def publish(folder: Path, files: Iterable[tuple[str, bytes]]) -> int:
    """Write the files and have `folder` be them, in the place of an older site; returns how many."""
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
