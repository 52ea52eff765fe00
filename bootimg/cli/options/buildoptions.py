"""The options that decide what a build makes, for `build` and `plan`, and the request they make up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bootimg import defaults
from bootimg.arch import Arch, ArchChoice
from bootimg.cli.options.archoptions import arches_option
from bootimg.cli.options.common import (
    RenamedChoice,
    accel_option,
    builds_option,
    force_option,
    jobs_option,
    limit_option,
    platform_option,
    registry_options,
    size_type,
)
from bootimg.cli.options.compression import compress_options
from bootimg.cli.options.purity import purity_options
from bootimg.cli.options.streamchoice import selection_options
from bootimg.cli.output.session import App
from bootimg.untrusted.limits import Limits

if TYPE_CHECKING:
    from bootimg.api.keywords import BuildKeywords
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.orchestrator.manyarches.requests import ArchRequests
    from bootimg.orchestrator.request import Request

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

target_imgref_option = click.option(
    "--target-imgref",
    metavar="IMGREF",
    envvar="BOOTIMG_TARGET_IMGREF",
    show_envvar=True,
    help="Image that the machines will update from, as an ostree image reference.",
)
"""Passes `target_imgref: str | None`."""
size_option = click.option(
    "--size", type=size_type, envvar="BOOTIMG_SIZE", show_envvar=True, help="Virtual size of the disks."
)
"""Passes `size: int | None`, in bytes."""
_BOTH = "name either an IMAGE or a build with --from"
_NEITHER = "name an IMAGE, or a stream with --stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """The values of those options; the fields have the names of click's parameters."""

    image: str | None
    from_build: str | None
    retry_failed: bool
    stream: str | None
    streams: Path
    skip_disk_images: str | None
    extensions: str | None
    platforms: tuple[str, ...] | None
    arch: ArchChoice
    builds: Path
    size: int | None
    target_imgref: str | None
    builder: str
    deploy: str
    force: bool
    draft: bool
    experimental: bool
    hostkey: tuple[Path, ...]
    purity: str | None
    allow: tuple[str, ...]
    compress: bool
    compressor: str | None
    jobs: int
    registry: RegistryOptions
    limits: Limits

    def request(self, app: App, arch: Arch) -> Request:
        """The request of these options for one architecture, with the errors of the API's `request`."""
        from bootimg.api.requesting import request

        keywords: BuildKeywords = {**self._keywords(app), "arch": arch}
        with _told_by_options():
            return request(self.image, events=app.events, **keywords)

    def requests(self, app: App) -> ArchRequests:
        """The requests for several architectures, with the errors of the API's `arch_requests`."""
        from bootimg.api.arches import arch_requests

        with _told_by_options():
            return arch_requests(self.image, self.arch, events=app.events, **self._keywords(app))

    def _keywords(self, app: App) -> BuildKeywords:
        """All but the image and the architecture."""
        return {
            "platforms": self.platforms,
            "stream": self.stream,
            "streams": self.streams,
            "skip_disk_images": self.skip_disk_images,
            "extensions": self.extensions,
            "builds": self.builds,
            "from_build": self.from_build,
            "retry_failed": self.retry_failed,
            "size": self.size,
            "target_imgref": self.target_imgref,
            "builder": self.builder,
            "deploy": self.deploy,
            "accelerator": app.accel,
            "force": self.force,
            "draft": self.draft,
            "experimental": self.experimental,
            "hostkey": self.hostkey,
            "purity": self.purity,
            "allow": self.allow,
            "compress": self.compress,
            "compressor": self.compressor,
            "jobs": self.jobs,
            "registry": self.registry,
            "limits": self.limits,
        }


@contextmanager
def _told_by_options() -> Iterator[None]:
    """Name the options, not the API's keywords, where the layer is unclear."""
    from bootimg.api.choosing import LayerUnclear

    try:
        yield
    except LayerUnclear as error:
        raise click.UsageError(_BOTH if error.both else _NEITHER) from None


_OPTIONS = (
    click.argument("image", required=False),
    click.option("--from", "from_build", metavar="BUILD",
                 help="Make more artifacts of an existing build: an id, `latest` or a path."),
    click.option("--retry-failed", is_flag=True,
                 help="Make only the artifacts that failed in the build's last run."),
    selection_options,
    platform_option,
    arches_option,
    builds_option,
    size_option,
    target_imgref_option,
    click.option("--builder", type=RenamedChoice(["own", "osbuild"], old={"guestfs": "own"}),
                 default=defaults.BUILDER, show_default=True, envvar="BOOTIMG_BUILDER", show_envvar=True,
                 help="What makes the disks: bootimg itself, or the program osbuild (as root)."),
    click.option("--deploy", type=RenamedChoice(["native", "appliance", "layer"], old={"own": "appliance"}),
                 default=defaults.DEPLOY, show_default=True, envvar="BOOTIMG_DEPLOY", show_envvar=True,
                 help="What lays the system out: bootimg itself (native), ostree in a virtual machine "
                      "(appliance), or the layer's own programs in one (layer)."),
    accel_option,
    force_option,
    click.option("--draft", is_flag=True,
                 help="Make live media quicker and larger than a release has them."),
    click.option("--experimental", is_flag=True,
                 help="Allow what nobody has seen to run: qemu-secex."),
    click.option("--hostkey", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
                 envvar="BOOTIMG_HOSTKEY", show_envvar=True,
                 help="Host key document of a machine that may decrypt qemu-secex; more than once for more."),
    purity_options,
    compress_options,
    jobs_option,
    registry_options,
    limit_option,
)  # fmt: skip


def build_options(function: Decorated) -> Decorated:
    """IMAGE and every option that decides what is made from it; passes `options: BuildOptions`."""
    names = [field.name for field in fields(BuildOptions)]

    @functools.wraps(function)
    def with_options(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        given = {name: kwargs.pop(name) for name in names}
        return function(*args, options=BuildOptions(**given), **kwargs)

    decorated: Any = with_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
