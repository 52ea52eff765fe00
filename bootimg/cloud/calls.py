"""The calls that change something in a cloud: made and counted, or with `--dry-run` only listed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call: where, which, with what, and how often with other data."""

    place: str
    operation: str
    parameters: Mapping[str, Any]
    times: int = 1
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The call as `--json` prints it."""
        return {
            "place": self.place,
            "operation": self.operation,
            "parameters": json.loads(json.dumps(self.parameters, default=str)),
            "times": self.times,
            "note": self.note or None,
        }


@dataclass
class CallLog:
    """Makes calls, or with `dry_run` lists them instead."""

    dry_run: bool = False
    calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, call: Call, work: Callable[[], Value], instead: Value) -> Value:
        """The result of `work`, or `instead` of it in a dry run."""
        with self._lock:
            self.calls.append(call)
        return instead if self.dry_run else work()
