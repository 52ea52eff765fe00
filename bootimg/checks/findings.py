"""Findings: breaches of rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bootimg.checks.rules import Rule, Severity
from bootimg.printable import printable

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule: its location `where`, the `evidence` found there, and a `message`."""

    rule: Rule
    where: str
    evidence: str
    message: str
    severity: Severity

    def as_dict(self) -> dict[str, str]:
        """The finding as JSON."""
        return {
            "rule": self.rule.value,
            "severity": self.severity.value,
            "where": self.where,
            "evidence": self.evidence,
            "message": self.message,
        }

    def __str__(self) -> str:
        """The finding on one line."""
        return f"{self.rule.value}: {self.where}: {self.evidence}: {self.message}"


def finding(rule: Rule, where: str, evidence: object, message: str) -> Finding:
    """A finding with the rule's severity.

    Texts are shortened and made printable, because they can come from an untrusted image.
    """
    return Finding(rule, _plain(where), _plain(str(evidence)), _plain(message), rule.severity)


def _plain(text: str) -> str:
    return printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that are errors."""
    return [each for each in findings if each.severity is Severity.ERROR]


def as_warnings(findings: Iterable[Finding]) -> list[Finding]:
    """The same findings, all as warnings."""
    return [replace(each, severity=Severity.WARNING) for each in findings]
