"""What is made of a layer because of its stream, or of the knob that skips disk images.

The pipeline's list of artifacts becomes platforms here.  What bootimg does not make yet is left out and
said; a name that nobody knows is refused, as a build would fail of it in the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.platform import Platform, platform, registry
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.streams.config import StreamConfig

EXTENSIONS = "extensions-container"
"""The pipeline's name of that artifact, and its key in meta.json."""
TESTS = "qemu"
"""The platform whose image is made for tests, where disk images are skipped too."""
_LIVE = "live media cannot be made yet"
_SECEX = "images for secure execution cannot be made yet"
# What coreos-assembler has a command for and bootimg does not.
_NOT_YET: Mapping[str, str] = {
    "live": _LIVE,
    "qemu-secex": _SECEX,
    "secex": _SECEX,
    EXTENSIONS: "no image of it is named: --extensions REF, or `extensions` in the block bootimg",
    "extensions": "extensions are taken as a container: extensions-container",
    "legacy-oscontainer": "bootimg does not make it",
    "hashlist-experimental": "bootimg does not make it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Why a request has the platforms that it has.

    `stream` is whose layer it must be.  `expected` are the keys in meta.json that the stream's builds
    have, `left_out` its artifacts that are not made, with the reason.  `skip_reason` says why there are no
    disk images but QEMU's, or is None.  `extensions` is the image of the extensions, in which `${VERSION}`
    may stand.
    """

    stream: str | None = None
    expected: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    skip_reason: str | None = None
    extensions: str | None = None

    def as_dict(self) -> dict[str, object]:
        """What `--json` says of it."""
        return {
            "stream": self.stream,
            "skip-disk-images": self.skip_reason,
            "left-out": dict(self.left_out),
        }


NOTHING = Selection()
"""That of a request without a stream and without the knob."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says, which comes before what a stream says.

    `platforms` is None where it names none.
    """

    platforms: tuple[Platform, ...] | None = None
    skip_reason: str | None = None
    extensions: str | None = None


def select(asked: Asked, config: StreamConfig | None, arch: Arch) -> tuple[tuple[Platform, ...], Selection]:
    """The platforms to make images for, and why it is those; without a stream and a word it is QEMU."""
    if config is not None:
        return _of_stream(asked, config, arch)
    if asked.skip_reason is not None:
        only_for_tests(asked.platforms or (), asked.skip_reason)
    selection = Selection(skip_reason=asked.skip_reason, extensions=asked.extensions)
    return asked.platforms or (platform(TESTS, arch),), selection


def _of_stream(asked: Asked, config: StreamConfig, arch: Arch) -> tuple[tuple[Platform, ...], Selection]:
    require_arch(config, arch)
    names, reason = config.artifacts[arch], asked.skip_reason or config.skip_disk_images
    extensions = asked.extensions or (config.extensions if reason or EXTENSIONS in names else None)
    if reason is not None:
        only_for_tests(asked.platforms or (), reason)
        names = (TESTS,)
    made, left_out = _sorted_out(
        config, [name for name in names if name != EXTENSIONS or not extensions], arch
    )
    if not (asked.platforms or made):
        raise _nothing(config, arch, left_out)
    keys = ("ostree", *(each.image_key for each in made), *([EXTENSIONS] if extensions else []))
    selection = Selection(
        stream=config.name,
        expected=keys,
        left_out=left_out,
        skip_reason=reason,
        extensions=extensions,
    )
    return asked.platforms or made, selection


def only_for_tests(platforms: Iterable[Platform], reason: str) -> None:
    """`disk-images-skipped` where a platform is asked for that has no image when disk images are skipped."""
    refused = [each.name for each in platforms if each.name != TESTS]
    if refused:
        raise BootimgError(
            "disk-images-skipped",
            f"disk images are skipped, and images for {', '.join(refused)} were asked for",
            context=[f"why: {printable(reason)}"],
            hint=f"leave them out: only {TESTS}'s is made, for tests;"
            " or build without `skip_disk_images` (--skip-disk-images, BOOTIMG_SKIP_DISK_IMAGES)",
            exit_code=ExitCode.USAGE,
        )


def require_arch(config: StreamConfig, arch: Arch) -> None:
    """`stream-arch-unsupported` for an architecture that the stream has no builds for."""
    if arch not in config.arches:
        raise BootimgError(
            "stream-arch-unsupported",
            f"the stream {printable(config.name)} has no builds for {arch}",
            context=[f"by additional_arches and skip_additional_arches in {config.file}"],
            hint=f"it has builds for {', '.join(config.arches)}: choose one with --arch",
            exit_code=ExitCode.USAGE,
        )


def _sorted_out(
    config: StreamConfig, names: Iterable[str], arch: Arch
) -> tuple[tuple[Platform, ...], dict[str, str]]:
    """The platforms, and the names of what is left out with the reasons."""
    known, made, left_out = registry(), [], {}
    for name in names:
        if name in known.platforms or name in known.broken:
            found = platform(name, arch)
            if found.buildable:
                made.append(found)
            else:
                left_out[name] = _LIVE
        elif name in _NOT_YET:
            left_out[name] = _NOT_YET[name]
        else:
            raise _unknown(config, name, arch)
    return tuple(made), left_out


def _unknown(config: StreamConfig, name: str, arch: Arch) -> BootimgError:
    return BootimgError(
        "stream-artifact-unknown",
        f"the stream {printable(config.name)} wants the artifact {printable(name)!r:.100} for {arch},"
        " which nobody knows",
        context=[f"in {config.file}"],
        hint="`bootimg platforms` lists what is made; correct the name, or add it to skip_artifacts",
        exit_code=ExitCode.USAGE,
    )


def _nothing(config: StreamConfig, arch: Arch, left_out: Mapping[str, str]) -> BootimgError:
    return BootimgError(
        "stream-nothing-to-make",
        f"of the stream {printable(config.name)} there is no disk image to make for {arch}",
        context=[f"{name}: {why}" for name, why in left_out.items()],
        hint=f"name artifacts in {config.file}, or platforms with -p",
        exit_code=ExitCode.USAGE,
    )
