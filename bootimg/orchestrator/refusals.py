"""What is refused before work starts, because this version or this machine cannot build it."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.arch import Arch
from bootimg.disk.bootloaders.choice import arch_unsupported, disk_obstacle
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats.packagers import packager_of
from bootimg.layer.declared.facts import version_of
from bootimg.layer.image.fetched import Image
from bootimg.orchestrator.request import Builder, Request
from bootimg.streams.versions.layermatch import require_stream
from bootimg.targets import DeclaredTarget


def refuse_other_arches(arch: Arch, builder: Builder) -> None:
    """Refuse architectures whose bootloaders bootimg does not know; osbuild builds its machine's own."""
    if builder is Builder.OSBUILD:
        _refuse_foreign(arch)
    elif (reason := disk_obstacle(arch)) is not None:
        raise arch_unsupported(arch, reason)


def _refuse_foreign(arch: Arch) -> None:
    if arch is not Arch.of_machine():
        raise BootimgError(
            "arch-build-unsupported",
            f"osbuild builds disks for {Arch.of_machine()} on this machine, not for {arch}",
            hint=f"run the same command on {arch}: the layer's own programs run while its disk is made",
            exit_code=ExitCode.USAGE,
        )


def refuse_unmade(target: DeclaredTarget, arch: Arch) -> None:
    """Refuse a target that bootimg does not make yet, or an image with an unknown packaging."""
    if (obstacle := target.obstacle) is not None:
        raise unmade(target, obstacle)
    if target.platform is not None:
        packager_of(target.platform)


def unmade(target: DeclaredTarget, reason: str | None) -> BootimgError:
    """The error of a request for a target that bootimg does not make yet."""
    return BootimgError(
        "platform-not-buildable",
        f"{target.name} images cannot be built yet",
        context=[reason or "this version has no step that makes them"],
        hint=f"leave {target.name} out, or build it with coreos-assembler",
        exit_code=ExitCode.USAGE,
    )


def refuse_other_stream(request: Request, image: Image) -> None:
    """Refuse a layer of another stream than the request's, with the errors of `require_stream`."""
    if (stream := request.selection.stream) is not None:
        require_stream(image.reference, image.labels, version_of(image), stream)


def refuse_other_version(request: Request, image: Image) -> None:
    """Refuse a layer of another version than the build's other architectures have."""
    version = version_of(image)
    if request.version not in (None, version):
        raise versions_differ([f"{request.arch}: {version}", f"before: {request.version}"])


def versions_differ(context: Sequence[str]) -> BootimgError:
    """The error for layers of several versions that were to be one build."""
    return BootimgError(
        "layer-versions-differ",
        "the layers of the architectures have different versions, and a build has one",
        context=context,
        hint="build them one by one with --arch, or make the layers again from the same sources",
        exit_code=ExitCode.USAGE,
    )
