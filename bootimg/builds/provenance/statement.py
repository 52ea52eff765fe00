"""in-toto statements, version 1 (github.com/in-toto/attestation/tree/main/spec/v1/statement.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.sizes import MIB
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.node import Fields
from bootimg.untrusted.tree import Malformed, Refuse

STATEMENT = "https://in-toto.io/Statement/v1"
SLSA = "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"
MEDIA_TYPE = "application/vnd.in-toto+json"
LIMIT = 64 * MIB
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement: the SHA-256 of its subjects in hex, by their names, and what it says of them."""

    subjects: Mapping[str, str]
    predicate_type: str
    predicate: Mapping[str, Any] = field(default_factory=dict)

    def dump(self) -> bytes:
        """The bytes of its file; the same statement gives the same bytes."""
        document = {
            "_type": STATEMENT,
            "subject": [
                {"name": name, "digest": {"sha256": digest}} for name, digest in sorted(self.subjects.items())
            ],
            "predicateType": self.predicate_type,
            "predicate": dict(self.predicate),
        }
        return json.dumps(document, indent=2).encode() + b"\n"


def parse_statement(data: bytes, refuse: Refuse = Malformed) -> Statement:
    """The statement in a file's bytes; the error is `refuse`'s.

    A subject without a name or a SHA-256, and one that is named twice, is refused too.
    """
    document = parse_object(data, refuse, limit=LIMIT)
    document.expect("_type", STATEMENT)
    subjects: dict[str, str] = {}
    for each in document.objects("subject"):
        name = each.required("name", str)
        if name in subjects:
            raise each.at("name").error("is the name of another subject too")
        subjects[name] = _digest(each)
    kind = document.required("predicateType", str)
    return Statement(subjects, kind, document.nested("predicate").values)


def _digest(subject: Fields) -> str:
    digests = subject.nested("digest")
    found = digests.required("sha256", str)
    if not _DIGEST.fullmatch(found):
        raise digests.at("sha256").error("is not a SHA-256 in hex")
    return found
