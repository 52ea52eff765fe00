"""The keywords of `build`, `plan` and `request`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from bootimg.api.context import StrPath
from bootimg.arch import Arch
from bootimg.checks.purity import Purity
from bootimg.disk.layer_deploy import DeployWay
from bootimg.formats import Compressor
from bootimg.layer.fetching.fetch import RegistryOptions
from bootimg.orchestrator.request import Builder
from bootimg.untrusted.limits import Limits


class BuildKeywords(TypedDict, total=False):
    """The keywords that `build` and `plan` share; each means what the command's option of that name means.

    `platforms` can have `all`; without it the stream decides, else it is QEMU.  `from_build` is an id,
    `latest` or a path; it replaces the image.  `size` is in bytes.  `streams` is the file that describes
    `stream`.  `skip_disk_images` is the reason for making only QEMU's disk image.  `purity` and `allow` are
    by default those of the build that `from_build` names, else the stream's.
    """

    platforms: Sequence[str] | None
    stream: str | None
    streams: StrPath
    skip_disk_images: str | None
    extensions: str | None
    arch: Arch | str
    builds: StrPath
    from_build: str | None
    retry_failed: bool
    size: int | None
    target_imgref: str | None
    builder: Builder | str
    deploy: DeployWay | str
    accelerator: str
    force: bool
    draft: bool
    experimental: bool
    hostkey: Sequence[StrPath]
    purity: Purity | str | None
    allow: Sequence[str]
    compress: bool
    compressor: Compressor | str | None
    jobs: int
    registry: RegistryOptions
    limits: Limits
