"""Writes the provenance of a build: after every change of its artifacts, if it says something else then."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bootimg.atomic import write_own
from bootimg.builds.companions import Companion, companions, record_companion
from bootimg.builds.find import Build
from bootimg.builds.folder import BuildDir
from bootimg.builds.layout import provenance_name
from bootimg.builds.provenance.content import provenance, subjects
from bootimg.builds.provenance.statement import LIMIT, parse_statement
from bootimg.builds.record import read_record
from bootimg.targets import PROVENANCE_KEY, SBOM_KEY
from bootimg.untrusted.files import read_start
from bootimg.untrusted.tree import Malformed


@dataclass(frozen=True, slots=True)
class WrittenProvenance:
    """The statement's file as recorded; `cached` if it said the same before."""

    file: Companion
    cached: bool


def write_provenance(folder: BuildDir) -> WrittenProvenance | None:
    """Bring the statement of a build, whose lock the caller holds, up to date; None if it has none.

    A statement that is up to date stays, with its signatures.
    """
    build, known = Build(folder.id, folder.arch, folder.path, folder.meta.read()), companions(folder.path)
    statement = provenance(build, read_record(folder.path), known.get(SBOM_KEY))
    if statement is None:
        return None
    data = statement.dump()
    name = provenance_name(str(build.meta["name"]), build.id, build.arch)
    found = Companion(name, hashlib.sha256(data).hexdigest(), len(data))
    if found.is_whole(folder.path):
        record_companion(folder.path, PROVENANCE_KEY, found)
        return WrittenProvenance(found, cached=True)
    temporary = folder.scratch / name
    write_own(temporary, data)
    folder.publish(temporary, name)
    record_companion(folder.path, PROVENANCE_KEY, found)
    return WrittenProvenance(found, cached=False)


def complete_provenance(folder: BuildDir) -> None:
    """Write the statement again if it lacks a file, after a build took over files of another machine.

    A statement that has all files stays, with its signatures, even if this bootimg would write another one.
    """
    known = companions(folder.path).get(PROVENANCE_KEY)
    if known is None or not known.is_whole(folder.path):
        return
    build = Build(folder.id, folder.arch, folder.path, folder.meta.read())
    try:
        there = parse_statement(read_start(folder.file(known.path), LIMIT)).subjects
    except Malformed:
        # `verify` reports it.
        return
    if not subjects(build, read_record(folder.path)).items() <= there.items():
        write_provenance(folder)
