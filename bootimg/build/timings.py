"""How long the steps took on this machine, so that a plan can say what a build will take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import write_whole
from bootimg.cache import Cache


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds by step, apart for each accelerator, from the last build that ran the step."""

    cache: Cache
    accelerator: str

    def seconds(self, step: str) -> float | None:
        """What the step took last time, or None where it never ran here."""
        value = self._read().get(self._key(step))
        return float(value) if isinstance(value, int | float) else None

    def remember(self, step: str, seconds: float) -> None:
        """Note what a step took that did run."""
        with self.cache.locked("timings"):
            known = self._read()
            known[self._key(step)] = round(seconds, 3)
            write_whole(self._path, json.dumps(known, indent=1, sort_keys=True).encode())

    @property
    def _path(self) -> Path:
        return self.cache.root / "timings.json"

    def _key(self, step: str) -> str:
        return f"{self.accelerator}/{step}"

    def _read(self) -> dict[str, object]:
        try:
            return dict(json.loads(self._path.read_bytes()))
        except (FileNotFoundError, ValueError):
            return {}
