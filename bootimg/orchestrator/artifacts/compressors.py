"""Which compressor an artifact gets; the precedence is coreos-assembler's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bootimg.errors import BootimgError, ExitCode
from bootimg.formats import Compressor
from bootimg.layer.declared.imagejson import PATH, ImageJson
from bootimg.orchestrator.request import Request
from bootimg.platform import Platform


@dataclass(frozen=True, slots=True)
class Compressors:
    """The compressors in a layer's image.json: one for all platforms, and others for some."""

    for_all: str | None = None
    by_platform: Mapping[str, str] = field(default_factory=dict)

    def of(self, platform: Platform, requested: Compressor | None) -> Compressor:
        """The layer's compressor for the platform, else `wanted`, else the layer's for all, else gzip.

        A platform whose own format compresses gets none.
        """
        own = self.by_platform.get(platform.name)
        if platform.skip_compression:
            return Compressor.NONE
        if own is None and requested is not None:
            return requested
        return _named(own or self.for_all or Compressor.GZIP)


def artifact_compressor(request: Request, platform: Platform, image_json: ImageJson) -> Compressor:
    """The compressor for the platform's artifact in a build; none if the request does not compress."""
    if not request.compress:
        return Compressor.NONE
    layer = Compressors(image_json.compressor, image_json.platform_compressor)
    return layer.of(platform, request.compressor)


def _named(name: str) -> Compressor:
    if name not in list(Compressor):
        raise BootimgError(
            "compressor-unknown",
            f"the layer sets the compressor {name}, which bootimg does not know",
            context=[f"in /{PATH}: compressor or platform-compressor"],
            hint=f"write one of {', '.join(Compressor)} there",
            exit_code=ExitCode.USAGE,
        )
    return Compressor(name)
