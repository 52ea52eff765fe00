"""What is refused before work starts, for this version or this machine cannot build it."""

from __future__ import annotations

from collections.abc import Iterable

from bootimg.arch import Arch
from bootimg.build.prepare import Layer
from bootimg.build.request import Builder, Request
from bootimg.disk.layer_deploy import DeployWay, require_programs
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.formats.packagers import packager_of
from bootimg.layer.facts import version_of
from bootimg.layer.fetch import inspect
from bootimg.layer.image import Image
from bootimg.platform import Platform
from bootimg.streams.match import require_stream, tells_versions


def refuse_other_arches(arch: Arch, builder: Builder) -> None:
    """Refuse what there is no bootloader row and no tool tree for yet; osbuild has its machine's own."""
    if builder is Builder.OSBUILD:
        _refuse_foreign(arch)
    elif (arch, Arch.of_machine()) != (Arch.X86_64, Arch.X86_64):
        raise BootimgError(
            "arch-build-unsupported",
            f"disks for {arch} cannot be built on {Arch.of_machine()} yet",
            hint="build x86_64 on x86_64; `bootimg manifest` prints the recipe of every architecture",
            exit_code=ExitCode.USAGE,
        )


def _refuse_foreign(arch: Arch) -> None:
    if arch is not Arch.of_machine():
        raise BootimgError(
            "arch-build-unsupported",
            f"osbuild builds disks for {Arch.of_machine()} on this machine, not for {arch}",
            hint=f"run the same command on {arch}: the layer's own programs run while its disk is made",
            exit_code=ExitCode.USAGE,
        )


def refuse_undeployable(request: Request, layer: Layer) -> None:
    """Refuse a layer without the programs by which it is to deploy itself: osbuild has no other way."""
    if request.deploy is DeployWay.LAYER:
        require_programs(layer.tree)
    elif request.builder is Builder.OSBUILD and not layer.facts.image_json.bootc_install_to_fs:
        require_programs(layer.tree, "use --builder guestfs: bootimg deploys the layer without its programs")


def refuse_unbuildable(platforms: Iterable[Platform]) -> None:
    """Refuse platforms whose images are made of live media, or wrapped in a way that is not known."""
    for platform in platforms:
        if not platform.buildable:
            raise BootimgError(
                "platform-not-buildable",
                f"{platform.name} images cannot be built yet",
                context=["they are made of live media, which this version of bootimg does not make"],
                hint=f"leave {platform.name} out, or build it with coreos-assembler",
                exit_code=ExitCode.USAGE,
            )
        packager_of(platform)


def refuse_other_stream(request: Request, image: Image) -> None:
    """Refuse a layer that is not of the request's stream, with the errors of `require_stream`."""
    if (stream := request.selection.stream) is not None:
        require_stream(image.reference, image.labels, version_of(image), stream)


def refuse_before_fetching(request: Request, events: Events) -> None:
    """The same by manifest and config alone, before the layers of the wrong image are fetched."""
    stream = request.selection.stream
    if stream is None:
        return
    refuse_other_stream(request, inspect(request.reference, request.arch, request.registry))
    if not tells_versions(stream):
        events.message(f"the name {stream} says nothing of versions: the layer's is not checked", "warning")
