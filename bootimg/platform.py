"""The plugin API of the platforms: what a platform is, and where the known ones come from.

A platform is one small module that makes a `Platform` and is named by an entry point of the group
`bootimg.platforms`.  Listing them imports those modules, never an SDK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode


@dataclass(frozen=True, slots=True)
class Console:
    """GRUB's console commands and the kernel's console arguments; the last one is /dev/console."""

    grub_commands: Sequence[str] = ()
    kernel_arguments: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What differs from one platform to the next.

    `consoles` is what is used where the layer's own platforms.json has nothing for this platform.
    `format_options` are those of osbuild's org.osbuild.qemu stage for `disk_format`.
    """

    name: str
    summary: str
    arches: frozenset[Arch]
    disk_format: str
    suffix: str
    format_options: Mapping[str, str | bool] = field(default_factory=dict)
    consoles: Mapping[Arch, Console] = field(default_factory=dict)
    ignition_platform: str | None = None
    meta_key: str | None = None

    @property
    def ignition_id(self) -> str:
        """The value of `ignition.platform.id=`; metal4k is `metal`, for instance."""
        return self.ignition_platform or self.name

    @property
    def image_key(self) -> str:
        """The key under `images` in meta.json."""
        return self.meta_key or self.name


def platforms() -> dict[str, Platform]:
    """Every installed platform by name, in alphabetical order."""
    found = {point.name: point.load() for point in entry_points(group="bootimg.platforms")}
    return dict(sorted(found.items()))


def platform(name: str, arch: Arch) -> Platform:
    """The platform `name`, which must exist for `arch`."""
    known = platforms()
    if name not in known:
        raise BootimgError(
            "platform-unknown",
            f"there is no platform {name}",
            hint=f"`bootimg platforms` lists them: {', '.join(known)}",
            exit_code=ExitCode.USAGE,
        )
    if arch not in known[name].arches:
        pairs = ", ".join(sorted(known[name].arches))
        raise BootimgError(
            "platform-arch-unsupported",
            f"{name} images do not exist for {arch}",
            hint=f"{name} exists for {pairs}",
            exit_code=ExitCode.USAGE,
        )
    return known[name]
