"""The request for a verb of the clouds, and the settings that it works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.cloud.retry import BUDGET
from bootimg.cloud.settings import Settings
from bootimg.cloud.task import Uploader
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError, ExitCode
from bootimg.platform import Platform, Upload
from bootimg.streams.pipeline.config import StreamConfig
from bootimg.untrusted.limits import DEFAULT, Limits

_WORKERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRequest:
    """What a verb is about.

    `which` names the build as for `find_build`.  Without `arch` it is about all architectures that have an
    image of the platforms, without `platforms` about all images whose platform has an uploader.  `key` is the
    platform's upload by its key in meta.json, by default its first.  `account` names a block within the
    cloud's settings.  `overrides` are settings of the command line.  `image_json` names a file that says what
    the layer's says.  `workers` is how many parts are sent at a time, `retry_for` the seconds for which a
    failing call is repeated.  `limits` are those of reading the artifacts and the layer's archive.
    """

    verb: Verb
    builds: Path
    which: str = "latest"
    arch: Arch | None = None
    platforms: tuple[str, ...] = ()
    key: str | None = None
    account: str | None = None
    stream: StreamConfig | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    image_json: Path | None = None
    dry_run: bool = False
    workers: int = _WORKERS
    retry_for: float = BUDGET
    limits: Limits = DEFAULT


def settings_for(request: CloudRequest, uploader: Uploader) -> Settings:
    """The settings of the stream's cloud, with those of the command line over them."""
    for key in request.overrides:
        if key not in uploader.settings:
            raise BootimgError(
                "cloud-setting-invalid",
                f"the uploader {uploader.name} has no setting {key}",
                hint=f"it has {', '.join(uploader.settings)}",
                exit_code=ExitCode.USAGE,
            )
    where, values = "the command line", {}
    if request.stream is not None:
        values = dict(request.stream.uploads.clouds.get(uploader.name, {}))
        where = f"{request.stream.file}: clouds.{uploader.name}"
    if request.account is not None:
        values = dict(_account(request.account, values, where))
        where = f"{where}.{request.account}"
    return Settings(where, {**values, **request.overrides})


def _account(name: str, values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    found = values.get(name)
    if not isinstance(found, dict):
        accounts = ", ".join(key for key, each in values.items() if isinstance(each, dict))
        raise BootimgError(
            "cloud-setting-missing",
            f"{where} has no account {name}",
            context=[f"it has {accounts or 'none'}"],
            hint="an account is a block of its own within the cloud's, such as govcloud",
            exit_code=ExitCode.USAGE,
        )
    return found


def chosen_upload(platform: Platform, key: str | None) -> Upload:
    """The upload of a platform by its key in meta.json; the first without one."""
    found = next((each for each in platform.uploads if key in (None, each.meta_key)), None)
    if found is None:
        raise BootimgError(
            "upload-variant-unknown",
            f"the platform {platform.name} has no variant {key}",
            hint=f"it has {', '.join(each.meta_key for each in platform.uploads) or 'none'}",
            exit_code=ExitCode.USAGE,
        )
    return found
