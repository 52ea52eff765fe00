"""What every verb gets: where events go, the cache, and how the result is printed."""

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

    `accel` is what `--accel` said (`auto` where the verb has no such option).  `quiet` is `-q`,
    `verbose` counts `-v`.  `color` is False after `--no-color` or NO_COLOR, True under FORCE_COLOR,
    None where the terminal decides.  `idle_cache` is the cache for whoever only looks after it.
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
        """The cache; from the first use to the end of the verb, nothing is cleaned out of it."""
        self.resources.enter_context(in_use(self.idle_cache))
        return self.idle_cache

    @property
    def width(self) -> int | None:
        """Columns of the terminal that the result is shown on; None where it goes elsewhere."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def result(self, document: Mapping[str, Any] | list[Any], text: str) -> None:
        """Print the verb's one result on stdout: the document under `--json`, else the text."""
        click.echo(_json.dumps(document, indent=2) if self.json else text, color=self.color)


@dataclass
class Session:
    """What the outermost frame must know of the verb that ran, to report how it ended."""

    app: App | None = None
    machine_stderr: bool = False
