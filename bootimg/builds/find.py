"""Finding existing builds by id, as `latest`, or by path."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.builds.index import newest_id
from bootimg.builds.layout import LATEST, META
from bootimg.builds.meta import read_json
from bootimg.builds.names import safe_images
from bootimg.errors import BootimgError, ExitCode
from bootimg.targets import target_of_key
from bootimg.untrusted.files import open_regular


@dataclass(frozen=True, slots=True)
class Build:
    """A build of one architecture and the content of its meta.json."""

    id: str
    arch: Arch
    path: Path
    meta: Mapping[str, Any]

    @property
    def images(self) -> Mapping[str, Mapping[str, Any]]:
        """The artifacts' entries by their keys; `build-meta-malformed` if they are invalid."""
        return safe_images(self.meta, str(self.path / META))

    def artifact(self, key: str) -> Path:
        """The file of the artifact `key`: `artifact-missing` if it does not exist."""
        entry = self.images.get(key)
        path = self.path / str(entry["path"]) if entry else None
        if path is None or not path.is_file():
            raise BootimgError(
                "artifact-missing",
                f"build {self.id} ({self.arch}) has no {key} image",
                context=[f"in {self.path}", f"it has: {', '.join(self.images)[:500] or 'none'}"],
                hint=_how_to_make(self, key),
                exit_code=ExitCode.USAGE,
            )
        return path


def find_build(builds: Path, which: str = LATEST, arch: Arch | None = None) -> Build:
    """The build `which`: `latest`, an id, or the path of its folder (with or without arch) or meta.json.

    Without `arch` it is this machine's, or the build's only one.  `build-not-found` if none matches.
    """
    folder = _folder(builds, which)
    return _read(folder) if _has_meta(folder) else _of_arch(folder, arch)


def find_builds(builds: Path, which: str = LATEST, arch: Arch | None = None) -> list[Build]:
    """The build `which` for all its architectures, or only for `arch`; `build-not-found` for none."""
    folder = _folder(builds, which)
    if arch is not None or _has_meta(folder):
        return [find_build(builds, which, arch)]
    found = [_read(folder / each.value) for each in Arch if _has_meta(folder / each.value)]
    # The error that names what is there.
    return found or [_of_arch(folder, None)]


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_digest(path: Path, key: str, wanted: str, found: str | None, *, record: str = META) -> None:
    """`artifact-damaged` unless the digest `found` equals the one under `key` of the entry in `record`."""
    if found != wanted:
        raise BootimgError(
            "artifact-damaged",
            f"{path} does not match {record}",
            context=[f"{key} is {found}", f"{record} says {wanted}"],
            hint="nothing was changed; make the file again with `bootimg build … --force`",
        )


def _how_to_make(build: Build, key: str) -> str:
    target = target_of_key(key)
    if target is not None and target.on_request and target.obstacle is None:
        return f"`bootimg build --from {build.id} -p {target.name}` makes it"
    return "get it with `bootimg builds fetch`, or build the layer again"


def _folder(builds: Path, which: str) -> Path:
    """The folder of a build, with or without the architecture."""
    path = Path(which)
    if path.name == META:
        return path.parent.resolve()
    if "/" in which or which in (".", ".."):
        return path.resolve()
    return builds / (_newest(builds) if which == LATEST else which)


def _has_meta(folder: Path) -> bool:
    try:
        return (folder / META).is_file()
    except OSError as error:
        # What was asked for may be anything, such as the reference of an image.
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def _newest(builds: Path) -> str:
    found = newest_id(builds)
    if found is None:
        raise _missing(f"{builds} holds no builds")
    return found


def _of_arch(folder: Path, arch: Arch | None) -> Build:
    there = [each for each in Arch if _has_meta(folder / each.value)]
    if arch is None and Arch.of_machine() not in there and len(there) == 1:
        arch = there[0]
    wanted = arch or Arch.of_machine()
    if wanted not in there:
        found = ", ".join(there) or "nothing"
        raise _missing(f"no build for {wanted} in {folder} (found: {found})")
    return _read(folder / wanted.value)


def _read(folder: Path) -> Build:
    meta = read_json(folder / META)
    arch = Arch.parse(str(meta.get("coreos-assembler.basearch", folder.name)))
    return Build(str(meta.get("buildid", folder.parent.name)), arch, folder, meta)


def _missing(message: str) -> BootimgError:
    return BootimgError(
        "build-not-found",
        message[:500],
        hint="name a build's id, `latest` or a path; set the tree of builds with `-o`",
        exit_code=ExitCode.USAGE,
    )
