"""A build's folder while artifacts are added to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.atomic import enough_space, require_no_link, sync
from bootimg.builds.find import Build
from bootimg.builds.index import insert_build
from bootimg.builds.layout import BUILDS, LATEST, META, PRUNED, SIGNATURES, build_folder
from bootimg.builds.locks import build_lock
from bootimg.builds.meta import MetaFile
from bootimg.errors import BootimgError, ExitCode
from bootimg.storagefaults import named

_SCRATCH = ".scratch"


@dataclass(frozen=True, slots=True)
class BuildDir:
    """`builds/<id>/<arch>`; this process holds its lock."""

    builds: Path
    id: str
    arch: Arch

    @property
    def path(self) -> Path:
        """The folder."""
        return build_folder(self.builds, self.id, self.arch)

    @property
    def scratch(self) -> Path:
        """A scratch folder on the same filesystem; emptied when the build is opened and when it is closed."""
        folder = self.path / _SCRATCH
        folder.mkdir(exist_ok=True)
        require_no_link(folder)
        return folder

    @property
    def meta(self) -> MetaFile:
        """Its meta.json."""
        return MetaFile(self.path / META)

    def file(self, name: str) -> Path:
        """The path of an artifact of that name."""
        return self.path / name

    def publish(self, temp: Path, name: str) -> Path:
        """Make a finished file read-only and durable, and rename it; replaces an older file."""
        final = self.file(name)
        with enough_space(self.path):
            fd = os.open(temp, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fchmod(fd, os.fstat(fd).st_mode & ~0o222)
                os.fsync(fd)
            except OSError as error:
                named(error, final)
                raise
            finally:
                os.close(fd)
            # Existing signatures belong to the older file.
            for suffix in SIGNATURES:
                self.file(f"{name}{suffix}").unlink(missing_ok=True)
            temp.replace(final)
            sync(self.path)
        return final

    def has(self, key: str) -> bool:
        """Whether meta.json lists the artifact `key` and its file exists with the listed size."""
        build = Build(self.id, self.arch, self.path, self.meta.read())
        entry = build.images.get(key)
        if entry is None:
            return False
        path = self.path / str(entry["path"])
        return path.is_file() and entry.get("size") in (None, path.stat().st_size)

    def replace_image(self, key: str, entry: Mapping[str, Any]) -> None:
        """Set the artifact's entry in meta.json; removes its old file if that had another name."""
        before = self.meta.read().get("images", {}).get(key)
        self.meta.merge({"images": {key: entry}}, whole=("images", key))
        if before is not None and before["path"] != entry["path"]:
            for suffix in ("", *SIGNATURES):
                self.file(f"{before['path']}{suffix}").unlink(missing_ok=True)

    def finish(self) -> None:
        """List the build in builds.json and point `latest` at the newest."""
        insert_build(self.builds, self.id, self.arch)


def require_build_id(build_id: str) -> None:
    """`build-id-invalid` for an id that cannot be the name of a build's folder."""
    if not build_id or "/" in build_id or build_id.startswith(".") or build_id in (LATEST, BUILDS):
        raise BootimgError(
            "build-id-invalid",
            f"{build_id!r} cannot be a build's id",
            hint="it names a folder: without slashes, not `latest` or `builds.json`, not hidden",
            exit_code=ExitCode.USAGE,
        )


@contextmanager
def open_build(builds: Path, build_id: str, arch: Arch) -> Iterator[BuildDir]:
    """Make or reopen a build's folder and hold its lock: `build-running` if another process holds it."""
    require_build_id(build_id)
    build = BuildDir(builds, build_id, arch)
    build.path.mkdir(parents=True, exist_ok=True)
    with build_lock(build.path):
        (build.path.parent / PRUNED).unlink(missing_ok=True)
        shutil.rmtree(build.path / _SCRATCH, ignore_errors=True)
        try:
            yield build
        finally:
            shutil.rmtree(build.path / _SCRATCH, ignore_errors=True)
