"""What every verb gets: the events, the cache, and the printing of its result."""

from __future__ import annotations

import json as _json
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import click

from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.housekeeping import in_use


@dataclass(kw_only=True)
class App:
    """One run of one verb.

    `accel` is the value of `--accel` (`auto` if the verb lacks that option).  `quiet` is `-q`,
    `verbose` counts `-v`.  `color` is False with `--no-color` or NO_COLOR, True with FORCE_COLOR,
    None if the terminal decides.  `idle_cache` is the cache without a lock, for listing and cleaning it.
    """

    events: Events = field(default_factory=Events)
    idle_cache: Cache
    json: bool = False
    accel: str = "auto"
    quiet: bool = False
    verbose: int = 0
    color: bool | None = None
    resources: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def cache(self) -> Cache:
        """The cache; it cannot be cleaned from its first use to the end of the verb."""
        self.resources.enter_context(in_use(self.idle_cache))
        return self.idle_cache

    @property
    def width(self) -> int | None:
        """Columns of the terminal that shows the result; None if stdout is not a terminal."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def result(self, document: Mapping[str, Any] | list[Any], text: str) -> None:
        """Print the verb's result on stdout: the document with `--json`, else the text."""
        click.echo(_json.dumps(document, indent=2) if self.json else text, color=self.color)


@dataclass
class Session:
    """What `bootimg.__main__` needs to know about the verb that ran, to report its end."""

    app: App | None = None
    machine_stderr: bool = False
