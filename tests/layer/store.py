"""Where what is slow to make is kept: $BOOTIMG_TEST_CACHE, the stand-in layer in layers/ of it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg import process
from tests.layer.recipe import HERE


def test_cache() -> Path:
    """$BOOTIMG_TEST_CACHE, else bootimg-tests in the user's cache."""
    root = os.environ.get("BOOTIMG_TEST_CACHE")
    return Path(root) if root else Path("~/.cache/bootimg-tests").expanduser()


def layers() -> Path:
    """The folder of the layers, made if missing."""
    folder = test_cache() / "layers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One maker at a time in a folder."""
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def sweep(folder: Path, *patterns: str) -> None:
    """Remove what killed makers left; call it with the folder's lock held."""
    if left := [path for pattern in patterns for path in folder.glob(pattern)]:
        # A tree may have had file systems mounted on it: never cross into one.
        process.run(["rm", "--recursive", "--force", "--one-file-system", *left], check=False)


def key(*parts: object) -> str:
    """16 hex digits that change when any part does; parts are JSON values or files and folders."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(_bytes_of(part) + b"\0")
    return digest.hexdigest()[:16]


def _bytes_of(part: object) -> bytes:
    if not isinstance(part, Path):
        return json.dumps(part, sort_keys=True).encode()
    if not part.is_dir():
        return part.read_bytes()
    files = sorted(path for path in part.rglob("*") if path.is_symlink() or path.is_file())
    return b"\0".join(_entry(path, part) for path in files)


def _entry(path: Path, root: Path) -> bytes:
    name = path.relative_to(root)
    if path.is_symlink():
        # A file may have a link's target as its content, as in a copy that turned links into files.
        return f"{name} link {path.readlink()}".encode()
    return f"{name} {os.access(path, os.X_OK)} ".encode() + path.read_bytes()


def source(*names: str) -> list[str]:
    """Digests of modules of this package: what they do is part of the recipe."""
    return [hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in names]


def made_folder(path: Path, make: Callable[[Path], None]) -> Path:
    """A folder, filled by `make(temporary path)`; it appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        make(temporary)
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def made(path: Path, make: Callable[[Path], None]) -> Path:
    """`path`, made by `make(temporary path)` if it is not there yet; it appears whole or not at all."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        make(temporary)
        _sync(temporary)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
