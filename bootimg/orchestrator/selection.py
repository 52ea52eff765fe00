"""Selects what is made from a layer: by the command line, its stream, and the setting that skips disk images.

The pipeline's list of artifacts becomes platforms here.  Artifacts that bootimg does not make yet are left
out and reported.  An unknown name is refused, because the pipeline's build would fail with it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.platform import Platform, platform, registry
from bootimg.printable import printable
from bootimg.targets import (
    ARCHIVE,
    EXTENSIONS,
    EXTENSIONS_KEY,
    DeclaredTarget,
    every_target,
    image_of,
    target_of_artifact,
)

if TYPE_CHECKING:
    from bootimg.streams.pipeline.config import StreamConfig

TESTS = "qemu"
"""The platform whose image is made for tests even if disk images are skipped."""
_UNNAMED = "no image is given for it: --extensions REF, or `extensions` in the block bootimg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Why a request has its platforms.

    `stream` is the stream that the layer must belong to.  `expected` are the keys in meta.json that the
    stream's builds have, `left_out` its artifacts that are not made, with the reason.  `skip_reason` says why
    QEMU's is the only disk image, or is None.  `extensions` is the reference of the extensions image, which
    may contain `${VERSION}`.  `targets` are the requested targets that are not platform images, `optional`
    the names of those that only `all` or the stream requested: one that cannot be made is left out.
    """

    stream: str | None = None
    expected: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    skip_reason: str | None = None
    extensions: str | None = None
    targets: tuple[DeclaredTarget, ...] = ()
    optional: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The selection as `--json` prints it."""
        return {
            "stream": self.stream,
            "skip-disk-images": self.skip_reason,
            "left-out": dict(self.left_out),
        }


NOTHING = Selection()
"""The selection of a request without a stream and without skipping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What the command line requests; it takes precedence over the stream.

    `platforms` is None if it names none; `targets` are the other targets that it names, `optional` the names
    of those that only `all` names.
    """

    platforms: tuple[Platform, ...] | None = None
    targets: tuple[DeclaredTarget, ...] = ()
    optional: tuple[str, ...] = ()
    skip_reason: str | None = None
    extensions: str | None = None


def named(names: Iterable[str], arch: Arch) -> Requested:
    """What `-p` requests; `all` means every target that can be made for `arch`.

    Raises `platform-unknown` and `platform-arch-unsupported`.
    """
    found: dict[str, DeclaredTarget] = {}
    words = tuple(names)
    for name in words:
        every = _all(arch) if name == "all" else [_on_request(name, arch)]
        found.update((each.name, each) for each in every)
    targets = tuple(each for each in found.values() if each.platform is None)
    return Requested(
        platforms=tuple(each.platform for each in found.values() if each.platform),
        targets=targets,
        optional=tuple(each.name for each in targets if each.name not in words),
    )


def _all(arch: Arch) -> list[DeclaredTarget]:
    known = (each for each in every_target() if each.on_request)
    return [each for each in known if arch in each.arches and each.obstacle is None]


def _on_request(name: str, arch: Arch) -> DeclaredTarget:
    declared = next((each for each in every_target() if each.on_request and each.name == name), None)
    if declared is not None and declared.platform is None:
        return declared
    return image_of(platform(name, arch))


def select(
    requested: Requested, config: StreamConfig | None, arch: Arch
) -> tuple[tuple[Platform, ...], Selection]:
    """The platforms to make images for, and the reasons; without a stream and without `-p` it is QEMU."""
    if config is not None:
        return _of_stream(requested, config, arch)
    if requested.skip_reason is not None:
        only_for_tests(names_of(requested.platforms or (), requested.targets), requested.skip_reason)
    selection = Selection(
        skip_reason=requested.skip_reason,
        extensions=requested.extensions,
        targets=requested.targets,
        optional=requested.optional,
    )
    if requested.targets:
        return requested.platforms or (), selection
    return requested.platforms or (platform(TESTS, arch),), selection


def _of_stream(
    requested: Requested, config: StreamConfig, arch: Arch
) -> tuple[tuple[Platform, ...], Selection]:
    require_arch(config, arch)
    names, reason = config.artifacts[arch], requested.skip_reason or config.skip_disk_images
    extensions = requested.extensions or (config.extensions if reason or EXTENSIONS_KEY in names else None)
    if reason is not None:
        only_for_tests(names_of(requested.platforms or (), requested.targets), reason)
        names = (TESTS,)
    made, left_out = _sorted_out(config, names, arch, extensions)
    explicit = bool(requested.platforms or requested.targets)
    if not (explicit or made):
        raise _nothing(config, arch, left_out)
    targets = tuple(each for each in made if each.platform is None)
    others = [ARCHIVE, *made, *([EXTENSIONS] if extensions else [])]
    selection = Selection(
        stream=config.name,
        expected=tuple(key for each in others for key in each.listed_keys),
        left_out=left_out,
        skip_reason=reason,
        extensions=extensions,
        targets=requested.targets if explicit else targets,
        optional=requested.optional if explicit else tuple(each.name for each in targets),
    )
    if explicit:
        return requested.platforms or (), selection
    return tuple(each.platform for each in made if each.platform), selection


def names_of(platforms: Iterable[Platform], targets: Iterable[DeclaredTarget]) -> tuple[str, ...]:
    """The names of the requested platforms and targets."""
    return (*(each.name for each in platforms), *(each.name for each in targets))


def only_for_tests(names: Iterable[str], reason: str) -> None:
    """Raise `disk-images-skipped` if a name requests an image that is skipped."""
    refused = [name for name in names if name != TESTS]
    if refused:
        raise BootimgError(
            "disk-images-skipped",
            f"disk images are skipped, but images for {', '.join(refused)} were requested",
            context=[f"why: {printable(reason)}"],
            hint=f"leave them out: only {TESTS}'s is made, for tests;"
            " or build without `skip_disk_images` (--skip-disk-images, BOOTIMG_SKIP_DISK_IMAGES)",
            exit_code=ExitCode.USAGE,
        )


def require_arch(config: StreamConfig, arch: Arch) -> None:
    """Raise `stream-arch-unsupported` for an architecture that the stream has no builds for."""
    if arch not in config.arches:
        raise BootimgError(
            "stream-arch-unsupported",
            f"the stream {printable(config.name)} has no builds for {arch}",
            context=[f"by additional_arches and skip_additional_arches in {config.file}"],
            hint=f"it has builds for {', '.join(config.arches)}: choose one with --arch",
            exit_code=ExitCode.USAGE,
        )


def _sorted_out(
    config: StreamConfig, names: Iterable[str], arch: Arch, extensions: str | None
) -> tuple[tuple[DeclaredTarget, ...], dict[str, str]]:
    """The targets that the names request, and the names of those left out with the reasons."""
    made, left_out = [], {}
    for name in names:
        found = _of_artifact(config, name, arch)
        if found is EXTENSIONS:
            if not extensions:
                left_out[name] = _UNNAMED
        elif (reason := found.obstacle) is not None:
            left_out[name] = reason
        else:
            made.append(found)
    return tuple(made), left_out


def _of_artifact(config: StreamConfig, name: str, arch: Arch) -> DeclaredTarget:
    if name in registry().broken:
        return image_of(platform(name, arch))
    found = target_of_artifact(name)
    if found is None:
        raise _unknown(config, name, arch)
    # A platform must exist for the architecture.
    return found if found.platform is None else image_of(platform(name, arch))


def _unknown(config: StreamConfig, name: str, arch: Arch) -> BootimgError:
    return BootimgError(
        "stream-artifact-unknown",
        f"the stream {printable(config.name)} wants the artifact {printable(name)!r:.100} for {arch},"
        " which is unknown",
        context=[f"in {config.file}"],
        hint="`bootimg platforms` lists what is made; correct the name, or add it to skip_artifacts",
        exit_code=ExitCode.USAGE,
    )


def _nothing(config: StreamConfig, arch: Arch, left_out: Mapping[str, str]) -> BootimgError:
    return BootimgError(
        "stream-nothing-to-make",
        f"the stream {printable(config.name)} has no disk image that can be made for {arch}",
        context=[f"{name}: {why}" for name, why in left_out.items()],
        hint=f"name artifacts in {config.file}, or platforms with -p",
        exit_code=ExitCode.USAGE,
    )
