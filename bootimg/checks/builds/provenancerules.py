"""Rules for what a build's provenance says: it is about this build's artifacts and its layer."""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.builds.companions import TITLES, companions
from bootimg.builds.find import Build
from bootimg.builds.layout import META
from bootimg.builds.provenance.content import known_keys, layer_digest, named_layer, subjects
from bootimg.builds.provenance.statement import LIMIT, SLSA, Statement, parse_statement
from bootimg.builds.record import RECORD, Record, read_record
from bootimg.checks.findings import Finding, as_warnings, finding
from bootimg.checks.rules import Rule
from bootimg.targets import PROVENANCE_KEY
from bootimg.untrusted.files import read_start
from bootimg.untrusted.tree import Malformed

_WHERE = TITLES[PROVENANCE_KEY]


def provenance_findings(build: Build) -> Iterator[Finding]:
    """Findings about the statement of a build whose meta.json and bootimg.json can be read.

    That its file is there and whole is the matter of `companion_findings`.
    """
    record, file = read_record(build.path), companions(build.path).get(PROVENANCE_KEY)
    if file is None:
        if record.source is not None:
            yield finding(Rule.PROVENANCE_GONE, _WHERE, f"{RECORD} names none", "the build has to have one")
        return
    try:
        statement = parse_statement(read_start(build.path / file.path, LIMIT))
    except OSError:
        return
    except Malformed as error:
        yield finding(Rule.PROVENANCE_MALFORMED, _WHERE, error, "it is not an in-toto statement")
        return
    if statement.predicate_type != SLSA:
        yield finding(Rule.PROVENANCE_MALFORMED, _WHERE, statement.predicate_type, f"it has to be {SLSA}")
        return
    yield from _artifacts(build, record, statement)
    yield from _layer(build, statement)


def _artifacts(build: Build, record: Record, statement: Statement) -> Iterator[Finding]:
    """Findings about artifacts that the statement does not have as they are, and about others in it."""
    wanted = subjects(build, record)
    for name, digest in wanted.items():
        found = statement.subjects.get(name)
        if found != digest:
            evidence = f"sha256 {found}" if found else f"no subject {name}"
            message = f"{META} says {digest}: another program changed the artifact, or the statement is older"
            yield finding(Rule.PROVENANCE_SUBJECT, f"{_WHERE}, {name}", evidence, message)
    others = {str(build.images[key]["path"]) for key in build.images if key not in known_keys(build, record)}
    for name in sorted(others - {*statement.subjects}):
        message = f"{RECORD} does not say that bootimg made it"
        found_other = finding(Rule.PROVENANCE_SUBJECT, f"{_WHERE}, {name}", f"no subject {name}", message)
        yield from as_warnings([found_other])
    for name in sorted({*statement.subjects} - {*wanted} - others):
        yield finding(Rule.PROVENANCE_ARTIFACT, _WHERE, f"subject {name}", f"{META} has no such file")


def _layer(build: Build, statement: Statement) -> Iterator[Finding]:
    wanted, found = layer_digest(build), named_layer(statement)
    if wanted is not None and found != wanted:
        evidence = f"sha256 {found}" if found else "no layer"
        yield finding(Rule.PROVENANCE_LAYER, _WHERE, evidence, f"the layer's sha256 in {META} is {wanted}")
