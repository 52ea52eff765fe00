"""kubectl, with JSON in and out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.cluster.machine.space import Completed, Space

Json = dict[str, Any]


@dataclass(frozen=True)
class Kubectl:
    """The client of a user, in a namespace, or in those that objects name."""

    space: Space
    config: Path
    namespace: str = ""

    def __call__(self, *words: str | Path, input: bytes = b"", check: bool = True) -> Completed:
        # kubectl refuses objects of another namespace than the one that it is told.
        within = [f"--namespace={self.namespace}"] if self.namespace else []
        argv = ("kubectl", f"--kubeconfig={self.config}", *within, *words)
        return self.space.run(*argv, input=input, check=check)

    def within(self, namespace: str) -> Kubectl:
        """The same user in another namespace."""
        return replace(self, namespace=namespace)

    def apply(self, *objects: Json) -> None:
        """Make or change objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self("apply", "--server-side", "-f", "-", input=json.dumps(listed).encode())

    def apply_files(self, *paths: Path) -> None:
        self("apply", "--server-side", *(f"--filename={path}" for path in paths))

    def items(self, kind: str, *words: str) -> list[Json]:
        """All objects of a kind, or those that a selector picks."""
        found = self("get", kind, "--output=json", *words)
        return list(json.loads(found.stdout)["items"])

    def get(self, kind: str, name: str) -> Json | None:
        """One object, or None."""
        found = self("get", kind, name, "--output=json", "--ignore-not-found")
        return json.loads(found.stdout) if found.stdout.strip() else None


def condition(found: Json | None, kind: str) -> Json:
    """A condition of an object's state, {} without one."""
    listed = (found or {}).get("status", {}).get("conditions", [])
    return next((each for each in listed if each["type"] == kind), {})
