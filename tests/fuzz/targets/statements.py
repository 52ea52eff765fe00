"""What is signed of a build: the in-toto statement, and Sigstore's bundle with one."""

from __future__ import annotations

import json
from pathlib import Path

from bootimg.builds.provenance.content import named_layer
from bootimg.builds.provenance.statement import SLSA, Statement, parse_statement
from bootimg.builds.signing.bundle import Bundle, parse_bundle
from bootimg.untrusted.tree import Malformed
from tests.fuzz.mutate import json_documents
from tests.fuzz.target import target

PREDICATE = {"buildDefinition": {"resolvedDependencies": [{"name": "layer", "digest": {"sha256": "1" * 64}}]}}
STATEMENT = Statement({"a.qcow2": "0" * 64, "b": "1" * 64}, SLSA, PREDICATE).dump()
BUNDLE = Bundle(STATEMENT, b"signature", "hint").dump()


@target(lambda: [STATEMENT], words=(*json.loads(STATEMENT), "digest", "sha256"), mutate=json_documents)
def statement(data: bytes, folder: Path) -> None:
    """A statement: it is read, what was read is written, and that reads back equal."""
    try:
        found = parse_statement(data)
    except Malformed:
        return
    named_layer(found)
    assert parse_statement(found.dump()) == found


@target(lambda: [BUNDLE], words=(*json.loads(BUNDLE), "payload", "payloadType"), mutate=json_documents)
def bundle(data: bytes, folder: Path) -> None:
    """A bundle, likewise."""
    try:
        found = parse_bundle(data)
    except Malformed:
        return
    assert parse_bundle(found.dump()) == found
