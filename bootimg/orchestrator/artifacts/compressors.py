"""Which compressor an artifact gets: coreos-assembler's order of who is asked."""

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
    """What a layer's image.json says: a compressor for all platforms, and others for some."""

    for_all: str | None = None
    by_platform: Mapping[str, str] = field(default_factory=dict)

    def of(self, platform: Platform, wanted: Compressor | None) -> Compressor:
        """The layer's word for the platform, else what is wanted, else its word for all, else gzip.

        A platform whose format compresses by itself gets none.
        """
        own = self.by_platform.get(platform.name)
        if platform.skip_compression:
            return Compressor.NONE
        if own is None and wanted is not None:
            return wanted
        return _named(own or self.for_all or Compressor.GZIP)


def artifact_compressor(request: Request, platform: Platform, image_json: ImageJson) -> Compressor:
    """What a build compresses the platform's artifact with; none unless it is asked to compress."""
    if not request.compress:
        return Compressor.NONE
    layer = Compressors(image_json.compressor, image_json.platform_compressor)
    return layer.of(platform, request.compressor)


def _named(name: str) -> Compressor:
    if name not in list(Compressor):
        raise BootimgError(
            "compressor-unknown",
            f"the layer asks for the compressor {name}, which bootimg does not know",
            context=[f"in /{PATH}: compressor or platform-compressor"],
            hint=f"write one of {', '.join(Compressor)} there",
            exit_code=ExitCode.USAGE,
        )
    return Compressor(name)
