"""How complete builds are: listed, expected and present artifacts.

builds.json lists an architecture as soon as its layer is archived (coreos-assembler's pipelines also list
it before the images are made).  So a listed build may lack images.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from bootimg.builds.companions import companions
from bootimg.builds.expected import expected
from bootimg.builds.index import read_index, tags_of
from bootimg.builds.layout import META, SIGNATURES
from bootimg.builds.meta import read_json
from bootimg.builds.names import images_of, is_name, is_size, safe_name
from bootimg.builds.policy import Removed, removed_by_policy
from bootimg.errors import BootimgError

_NOTHING = Removed()


class FileState(StrEnum):
    """The state of one artifact of a build."""

    PRESENT = "present"
    ABSENT = "absent"
    """meta.json (for SBOM and provenance bootimg.json) lists it, but its file is not here."""
    SIZE = "wrong-size"
    """Its file has another size than the listed one."""
    REMOVED = "removed"
    """builds.json records that a policy removed its file; meta.json still lists it."""
    EXPECTED = "expected"
    """It is expected, but meta.json does not list it."""


_GONE = (FileState.ABSENT, FileState.REMOVED)
_FINE = (FileState.PRESENT, FileState.REMOVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactState:
    """An artifact that a build has or should have; sizes in bytes."""

    key: str
    state: FileState
    path: str | None = None
    size: int | None = None
    sha256: str | None = None
    signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchState:
    """A build of one architecture; `problem` is set if its meta.json is missing or unreadable."""

    arch: str
    listed: bool
    artifacts: tuple[ArtifactState, ...] = ()
    problem: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all listed and expected artifacts are here, except those that a policy removed."""
        return self.problem is None and all(each.state in _FINE for each in self.artifacts)

    @property
    def present(self) -> int:
        """The number of artifacts that are here."""
        return sum(each.state is FileState.PRESENT for each in self.artifacts)

    @property
    def size(self) -> int:
        """The total size of the artifacts that are here, in bytes."""
        return sum(each.size or 0 for each in self.artifacts if each.state not in _GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildState:
    """A build with all its architectures; not `listed` if only its folder exists.

    It is `retired` if a policy deleted its images in clouds.
    """

    id: str
    listed: bool
    tags: tuple[str, ...]
    arches: tuple[ArchState, ...]
    retired: bool = False

    @property
    def complete(self) -> bool:
        """Whether every architecture is complete."""
        return self.listed and all(each.listed and each.complete for each in self.arches)


def build_states(builds: Path) -> list[BuildState]:
    """Every build, newest first; unlisted folders of builds come last, by name."""
    index = read_index(builds)
    tags = tags_of(index)
    found = [
        _build(
            builds,
            safe_name(each["id"], str(builds)),
            each["arches"],
            tags.get(each["id"], ()),
            removed_by_policy(index, each["id"]),
        )
        for each in index["builds"]
    ]
    known = {each.id for each in found}
    return found + [_build(builds, name, None, ()) for name in _unlisted(builds) if name not in known]


def arch_state(folder: Path, *, listed: bool = True, removed: Removed = _NOTHING) -> ArchState:
    """The state of a build of one architecture; `removed` has the artifacts that a policy removed."""
    try:
        meta = read_json(folder / META)
        if not meta:
            return ArchState(arch=folder.name, listed=listed, problem="meta.json does not exist")
        artifacts = tuple(_artifacts(folder, meta, removed))
    except BootimgError as error:
        return ArchState(arch=folder.name, listed=listed, problem=error.message)
    return ArchState(arch=folder.name, listed=listed, artifacts=artifacts)


def _build(
    builds: Path, name: str, arches: list[str] | None, tags: Iterable[str], removed: Removed = _NOTHING
) -> BuildState:
    folder, known = builds / name, arches or []
    # A folder that only lies there costs nobody the other builds, whatever its name is.
    others = [path.parent.name for path in sorted(folder.glob(f"*/{META}")) if is_name(path.parent.name)]
    names = dict.fromkeys([*known, *(each for each in others if each not in known)])
    return BuildState(
        id=name,
        listed=arches is not None,
        tags=tuple(tags),
        arches=tuple(
            arch_state(folder / safe_name(arch, str(folder)), listed=arch in known, removed=removed)
            for arch in names
        ),
        retired=removed.uploads,
    )


def _unlisted(builds: Path) -> list[str]:
    folders = (path.parents[1] for path in builds.glob(f"*/*/{META}"))
    return sorted({each.name for each in folders if is_name(each.name) and not each.is_symlink()})


def _artifacts(folder: Path, meta: dict[str, Any], removed: Removed) -> Iterator[ArtifactState]:
    images = images_of(meta, str(folder / META))
    for key, node in images.items():
        found = _artifact(folder, key, node.value)
        gone = found.state is FileState.ABSENT and removed.has(key)
        yield replace(found, state=FileState.REMOVED) if gone else found
    for key, companion in companions(folder).items():
        yield _artifact(folder, key, companion.as_dict())
    for key in expected(folder):
        if key not in images:
            yield ArtifactState(key=key, state=FileState.EXPECTED)


def _artifact(folder: Path, key: str, entry: object) -> ArtifactState:
    fields = entry if isinstance(entry, dict) else {}
    path = safe_name(fields.get("path"), f"{folder / META}: {key:.80}")
    size, sha256 = fields.get("size"), fields.get("sha256")
    found = _size(folder / path)
    wrong = size is not None and size != found
    state = FileState.ABSENT if found is None else FileState.SIZE if wrong else FileState.PRESENT
    return ArtifactState(
        key=key,
        state=state,
        path=path,
        size=found if found is not None else size if is_size(size) else None,
        sha256=sha256 if isinstance(sha256, str) else None,
        signed=any(_size(folder / f"{path}{suffix}") is not None for suffix in SIGNATURES),
    )


def _size(path: Path) -> int | None:
    """The size of a regular file; None if it does not exist or is not a regular file."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
