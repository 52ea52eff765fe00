"""The SBOM of a build: an SPDX document of its layer, recorded in bootimg.json.

The schema of meta.json has no key for it.  Callers of functions that change the record hold the build's
lock.
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
from bootimg.targets import SBOM_KEY, SPDX

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Sbom:
    """The record of the document: its file name, its SHA-256 in hex, its size in bytes."""

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


def read_sbom(folder: Path) -> Sbom | None:
    """The SBOM of the build in a folder, None without a record; `build-record-malformed`."""
    path = folder / RECORD
    return parse_sbom(read_tree(path), str(path))


def parse_sbom(record: Mapping[str, Any], name: str) -> Sbom | None:
    """The SBOM from the object in a bootimg.json; `name` is for the error."""
    fields = record_fields(record, name)
    if fields.is_absent(SBOM_KEY):
        return None
    entry = fields.nested(SBOM_KEY)
    path = entry.required("path", str)
    # No other file of a build has this suffix, so an untrusted record cannot replace one.
    if not is_name(path) or not path.endswith(SPDX):
        raise entry.at("path").error("is not the name of an SBOM")
    sha256 = entry.required("sha256", str)
    if not _DIGEST.fullmatch(sha256):
        raise entry.at("sha256").error("is not a SHA-256 in hex")
    return Sbom(path, sha256, entry.needed("size").number())


def record_sbom(folder: Path, sbom: Sbom) -> None:
    """Record this SBOM, whose file exists, in the folder's bootimg.json."""
    path = folder / RECORD
    before = read_tree(path)
    if before.get(SBOM_KEY) != sbom.as_dict():
        write_json(path, {**before, SBOM_KEY: sbom.as_dict()})


def sbom_file(build: Build, sbom: Sbom) -> Path:
    """The file of a build's SBOM.  Errors: `artifact-missing`, `artifact-damaged`."""
    path = build.path / sbom.path
    if not path.is_file():
        raise BootimgError(
            "artifact-missing",
            f"build {build.id} ({build.arch}) has no {sbom.path}",
            context=[f"{build.path / RECORD} names it"],
            hint=f"`bootimg build --from {build.id}` makes it again",
            exit_code=ExitCode.USAGE,
        )
    require_digest(path, "sha256", sbom.sha256, digest_of(path), record=RECORD)
    return path
