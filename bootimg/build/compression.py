"""Which compressor an artifact gets: coreos-assembler's order of who is asked."""

from __future__ import annotations

from bootimg.build.request import Request
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats import Compressor
from bootimg.layer.imagejson import PATH, ImageJson
from bootimg.platform import Platform


def artifact_compressor(request: Request, platform: Platform, image_json: ImageJson) -> Compressor:
    """What a build compresses the platform's artifact with; none unless it is asked to compress."""
    if not request.compress:
        return Compressor.NONE
    return compressor_of(platform, image_json, request.compressor)


def compressor_of(platform: Platform, image_json: ImageJson, wanted: Compressor | None) -> Compressor:
    """The layer's word for the platform, else what was asked for, else the layer's word for all, else gzip.

    A platform whose format compresses by itself gets none.
    """
    own = image_json.platform_compressor.get(platform.name)
    if platform.skip_compression:
        return Compressor.NONE
    if own is None and wanted is not None:
        return wanted
    return _named(own or image_json.compressor or Compressor.GZIP)


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
