"""A layer that is being read: the data that the reading steps pass on to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.image.fetched import Image
from bootimg.orchestrator.opening import Opened
from bootimg.orchestrator.request import Request


@dataclass
class Reading:
    """A request, and what was read of its layer so far.

    `check` refuses the image by its manifest and config, and returns the request, updated for the image's
    version.
    """

    request: Request
    cache: Cache
    events: Events
    check: Callable[[Request, Image, Cache], Request]
    image: Image | None = None
    opened: Opened | None = None

    def settle(self, image: Image) -> None:
        """Check the image before its layers are fetched."""
        self.request = self.check(self.request, image, self.cache)

    def fetched(self) -> Image:
        """The image; an earlier step has fetched it."""
        assert self.image is not None
        return self.image
