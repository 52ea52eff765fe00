"""The settings of the clouds for the builds of one stream."""

from __future__ import annotations

from bootimg.arch import Arch
from bootimg.cloud.registry import find_uploader, uploader_names
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.orchestrator.retiring.request import RetireRequest
from bootimg.orchestrator.uploading.request import CloudRequest
from bootimg.platform import platform, platforms
from bootimg.streams.pipeline.config import read_stream_config, stream_names


def cloud_request(request: RetireRequest, stream: str, events: Events) -> CloudRequest:
    """The request for the uploaders; a stream that the file does not have has only the options' settings."""
    config = request.config
    if config is not None and stream not in stream_names(config):
        events.message(
            f"{config.file} has no stream {stream}: no settings of its clouds are known", "warning"
        )
        config = None
    return CloudRequest(
        verb=Verb.RETIRE,
        builds=request.builds,
        platforms=request.platforms,
        account=request.account,
        stream=None if config is None else read_stream_config(config, stream),
        overrides=request.overrides,
        dry_run=not request.delete,
        retry_for=request.retry_for,
    )


def check_names(request: RetireRequest) -> None:
    """Refuse a platform that does not exist, and a setting that no uploader has."""
    for name in request.platforms:
        if name not in platforms():
            platform(name, request.arch or Arch.of_machine())
    known = {key for name in uploader_names() if (found := find_uploader(name)) for key in found.settings}
    for key in request.overrides:
        if key not in known:
            raise BootimgError(
                "cloud-setting-invalid",
                f"no uploader has the setting {key}",
                hint=f"there are {', '.join(sorted(known))}",
                exit_code=ExitCode.USAGE,
            )
