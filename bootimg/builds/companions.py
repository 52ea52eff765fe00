"""The files that describe a build beside its artifacts: the SBOM and the provenance.

They are recorded in bootimg.json, because the schema of meta.json has no keys for them.  Callers of functions
that change the record hold the build's lock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bootimg.builds.find import Build, digest_of, require_digest
from bootimg.builds.meta import write_json
from bootimg.builds.names import is_name
from bootimg.builds.record import RECORD, read_tree, record_fields
from bootimg.errors import BootimgError, ExitCode
from bootimg.targets import INTOTO, PROVENANCE_KEY, SBOM_KEY, SPDX

COMPANIONS: Mapping[str, str] = {SBOM_KEY: SPDX, PROVENANCE_KEY: INTOTO}
"""The ends of their file names, by their keys in bootimg.json."""
TITLES: Mapping[str, str] = {SBOM_KEY: "SBOM", PROVENANCE_KEY: "provenance"}
"""What people call them."""
_KINDS = {SBOM_KEY: "an SBOM", PROVENANCE_KEY: "a provenance"}
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Companion:
    """The record of such a file: its name, its SHA-256 in hex, its size in bytes."""

    path: str
    sha256: str
    size: int

    def as_dict(self) -> dict[str, Any]:
        """The entry in bootimg.json, with the keys that an artifact has in meta.json."""
        return asdict(self)

    def is_whole(self, folder: Path) -> bool:
        """Whether the build's folder has the file with the recorded size and digest."""
        path = folder / self.path
        return path.is_file() and path.stat().st_size == self.size and digest_of(path) == self.sha256


def companions(folder: Path) -> dict[str, Companion]:
    """The files of the build in a folder, by key; `build-record-malformed`."""
    path = folder / RECORD
    return parse_companions(read_tree(path), str(path))


def companion(folder: Path, key: str) -> Companion | None:
    """One of them; None if the record does not name it."""
    return companions(folder).get(key)


def parse_companions(record: Mapping[str, Any], name: str) -> dict[str, Companion]:
    """The files from the object in a bootimg.json, by key; `name` is for the error."""
    found = {key: _parse(record, key, ending, name) for key, ending in COMPANIONS.items()}
    return {key: each for key, each in found.items() if each is not None}


def _parse(record: Mapping[str, Any], key: str, ending: str, name: str) -> Companion | None:
    fields = record_fields(record, name)
    if fields.is_absent(key):
        return None
    entry = fields.nested(key)
    path = entry.required("path", str)
    # No other file of a build has this suffix, so an untrusted record cannot replace one.
    if not is_name(path) or not path.endswith(ending):
        raise entry.at("path").error(f"is not the name of {_KINDS[key]}")
    sha256 = entry.required("sha256", str)
    if not _DIGEST.fullmatch(sha256):
        raise entry.at("sha256").error("is not a SHA-256 in hex")
    return Companion(path, sha256, entry.needed("size").number())


def record_companion(folder: Path, key: str, found: Companion) -> None:
    """Record this file, which exists, in the folder's bootimg.json."""
    path = folder / RECORD
    before = read_tree(path)
    if before.get(key) != found.as_dict():
        write_json(path, {**before, key: found.as_dict()})


def companion_file(build: Build, found: Companion) -> Path:
    """The path of such a file.  Errors: `artifact-missing`, `artifact-damaged`."""
    path = build.path / found.path
    if not path.is_file():
        raise BootimgError(
            "artifact-missing",
            f"build {build.id} ({build.arch}) has no {found.path}",
            context=[f"{build.path / RECORD} names it"],
            hint=f"`bootimg build --from {build.id}` makes it again",
            exit_code=ExitCode.USAGE,
        )
    require_digest(path, "sha256", found.sha256, digest_of(path), record=RECORD)
    return path
