"""The requests for a build of several architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.orchestrator.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchRequests:
    """A request for each architecture, in the order in which they are made.

    `refused` has the errors of architectures that cannot be made; that happens only with `every`: of
    architectures that were named, each must be possible.  `left_out` has the names of architectures that are
    not asked for, with the reason.
    """

    requests: Mapping[Arch, Request]
    refused: Mapping[Arch, BootimgError] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    every: bool = False

    def changed(self, change: Callable[[Request], Request]) -> ArchRequests:
        """The same with every request changed."""
        return replace(self, requests={arch: change(each) for arch, each in self.requests.items()})
