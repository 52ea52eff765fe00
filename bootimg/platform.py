"""The plugin API of the platforms: what a platform is, and how bootimg finds the installed ones.

A platform is one small module that makes a `Platform`; an entry point of the group `bootimg.platforms` names
it.  Listing the platforms imports those modules, never an SDK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import fault
from bootimg.ovf import Adapter as Adapter
from bootimg.ovf import Controller as Controller
from bootimg.ovf import Description
from bootimg.ovf import Ovf as Ovf
from bootimg.ovf import PowerVolume as PowerVolume
from bootimg.sizes import MIB, align_up

GROUP = "bootimg.platforms"
# Exceptions that importing a module and making its Platform are known to raise.
_FAILURES = (
    ImportError, AttributeError, NameError, SyntaxError, TypeError, ValueError, LookupError,
    ArithmeticError, OSError, RuntimeError, AssertionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Console:
    """GRUB's console commands and the kernel's console arguments; the last argument becomes /dev/console."""

    grub_commands: Sequence[str] = ()
    kernel_arguments: Sequence[str] = ()


class DiskSize(StrEnum):
    """The source of the virtual size of a platform's disk, if it is not a fixed number of GiB."""

    METAL = "metal"
    """The base disk's size: as large as the layer needs."""
    LAYER = "layer"
    """`size` of the layer's image.json, or `--size`."""


class Packaging(StrEnum):
    """The file that wraps the disk."""

    NONE = "none"
    TAR_GZ = "tar.gz"
    """`disk.raw` in a sparse tar of the format oldgnu, compressed with gzip."""
    OVA = "ova"
    """A tar of an OVF description and the disk; `packaging_options` has the values of the description."""
    OCIARCHIVE = "ociarchive"
    """A container image whose /disk holds the disk."""
    BFB = "bfb"
    """A boot stream for NVIDIA's BlueField, made from live media."""


class UploadForm(StrEnum):
    """The form in which meta.json records what an uploader has made in a cloud."""

    REGION_IMAGES = "region-images"
    """A list with an image id for each region (`name`)."""
    REGION_OBJECTS = "region-objects"
    """A list with `object`, `bucket` and `url` for each `region`."""
    PROJECT_IMAGE = "project-image"
    """`image`, `project` and `family` of a global image."""
    CONTAINER = "container"
    """`image`, `digest` and `tags` of a container image."""
    URL = "url"
    """The `url` of an object."""

    @property
    def place_field(self) -> str | None:
        """The field that tells the entries of a list apart; None for a form that is one object."""
        return {UploadForm.REGION_IMAGES: "name", UploadForm.REGION_OBJECTS: "region"}.get(self)


class Extension(StrEnum):
    """Uploads that a stream has in `rhel-coreos-extensions`, not in `images`."""

    AWS_WINLI = "aws-winli"
    AZURE_DISK = "azure-disk"


@dataclass(frozen=True, slots=True)
class Upload:
    """What an uploader of a platform's image leaves in meta.json: the key and the form.

    `id_field` is the field with the image's id in a list of the form `REGION_IMAGES`.
    """

    meta_key: str
    form: UploadForm
    id_field: str = "id"
    extension: Extension | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that every entry has."""
        match self.form:
            case UploadForm.REGION_IMAGES:
                return "name", self.id_field
            case UploadForm.REGION_OBJECTS:
                return "region", "object", "bucket", "url"
            case UploadForm.PROJECT_IMAGE:
                return "image", "url"
            case UploadForm.CONTAINER:
                return "image", "digest"
            case UploadForm.URL:
                return ("url",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The differences between one platform and the others.

    `size` is a rule or a number of GiB; in both cases the disk's size is rounded up to a multiple of
    `size_multiple_mib` MiB, as the cloud requires.  `sector_size` is in bytes.  `format_options` are those of
    osbuild's org.osbuild.qemu stage for `disk_format`; `packaging_options` describe the machine of an OVA.
    With `skip_compression` the artifact's own format compresses it, and it stays unchanged.  `consoles` is
    used if the layer's own platforms.json has no entry for this platform.  `uploader` names the plugin of the
    group `bootimg.uploaders` that makes `uploads`, the first of them from the artifact.
    """

    name: str
    summary: str
    arches: frozenset[Arch]
    disk_format: str
    suffix: str
    format_options: Mapping[str, str | bool] = field(default_factory=dict)
    size: DiskSize | int = DiskSize.LAYER
    size_multiple_mib: int = 1
    sector_size: int = 512
    packaging: Packaging = Packaging.NONE
    packaging_options: Description | None = None
    skip_compression: bool = False
    consoles: Mapping[Arch, Console] = field(default_factory=dict)
    ignition_platform: str | None = None
    meta_key: str | None = None
    release_platform: str | None = None
    release_prefix: str = ""
    uploads: Sequence[Upload] = ()
    uploader: str | None = None

    @property
    def buildable(self) -> bool:
        """Whether bootimg packs its images; NVIDIA's boot streams take firmware and programs of theirs."""
        return self.packaging is not Packaging.BFB

    def disk_mib(self, *, metal: int, layer: int) -> int:
        """MiB of its disk, if the base disk needs `metal` MiB and the layer's size is `layer` MiB."""
        match self.size:
            case DiskSize.METAL:
                mib = metal
            case DiskSize.LAYER:
                mib = layer
            case gib:
                mib = gib * 1024
        return align_up(mib, self.size_multiple_mib)

    def takes_size(self, size: int) -> bool:
        """Whether its disks can be `size` bytes large."""
        return size % (self.size_multiple_mib * MIB) == 0

    @property
    def ignition_id(self) -> str:
        """The value of `ignition.platform.id=`; for metal4k it is `metal`."""
        return self.ignition_platform or self.name

    @property
    def image_key(self) -> str:
        """The key under `images` in meta.json."""
        return self.meta_key or self.name

    @property
    def release_key(self) -> tuple[str, str]:
        """Platform and format in release.json and stream metadata; for metal4k `metal` and `4k.raw`."""
        return self.release_platform or self.name, self.release_prefix + self.suffix


@dataclass(frozen=True, slots=True)
class BrokenPlatform:
    """A platform name without a usable plugin: the plugin cannot be imported, or several have the name.

    `error` is the id of the error that a request for the name raises, `package` the package that provides it.
    """

    name: str
    package: str
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Registry:
    """All entry points by name, in alphabetical order: working platforms and broken plugins."""

    platforms: Mapping[str, Platform]
    broken: Mapping[str, BrokenPlatform]


@cache
def registry() -> Registry:
    """Load every plugin; one that fails does not affect the others."""
    points: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        # A package that appears twice in sys.path is still one plugin.
        if all(
            (each.value, _package(each)) != (point.value, _package(point))
            for each in points.get(point.name, ())
        ):
            points.setdefault(point.name, []).append(point)
    found = {name: _load(name, candidates) for name, candidates in sorted(points.items())}
    return Registry(
        {name: each for name, each in found.items() if isinstance(each, Platform)},
        {name: each for name, each in found.items() if isinstance(each, BrokenPlatform)},
    )


def platforms() -> Mapping[str, Platform]:
    """Every installed platform that works by name, in alphabetical order."""
    return registry().platforms


def upload_places() -> Mapping[str, str]:
    """The keys of meta.json whose value is a list of uploads, with the field that tells its entries apart."""
    every = (each for platform in platforms().values() for each in platform.uploads)
    return {each.meta_key: field for each in every if (field := each.form.place_field)}


def layer_keys() -> frozenset[str]:
    """The keys of image.json that installed platforms take values from."""
    options = (each.packaging_options for each in platforms().values())
    return frozenset(key for each in options if isinstance(each, Ovf) for key in each.layer_values)


def platform(name: str, arch: Arch) -> Platform:
    """The platform `name`, which must exist for `arch`."""
    known = registry()
    if name in known.broken:
        raise _broken(known.broken[name])
    if name not in known.platforms:
        raise BootimgError(
            "platform-unknown",
            f"there is no platform {name}",
            hint=f"`bootimg platforms` lists them: {', '.join(known.platforms)}",
            exit_code=ExitCode.USAGE,
        )
    found = known.platforms[name]
    if arch not in found.arches:
        pairs = ", ".join(sorted(found.arches))
        raise BootimgError(
            "platform-arch-unsupported",
            f"{name} images do not exist for {arch}",
            hint=f"{name} exists for {pairs}",
            exit_code=ExitCode.USAGE,
        )
    return found


def _load(name: str, points: Sequence[EntryPoint]) -> Platform | BrokenPlatform:
    if len(points) > 1:
        packages = " and ".join(sorted(map(_package, points)))
        return BrokenPlatform(name, packages, "platform-duplicate", f"{packages} both provide it")
    (point,) = points
    try:
        loaded = point.load()
    except _FAILURES as error:
        reason = f"{type(error).__name__}: {error}"
        return BrokenPlatform(name, _package(point), "platform-broken", f"{point.value}: {reason}")
    if not isinstance(loaded, Platform) or loaded.name != name:
        reason = f"{point.value} is {loaded!r:.80}, not a Platform of that name"
        return BrokenPlatform(name, _package(point), "platform-broken", reason)
    for argument in (each for console in loaded.consoles.values() for each in console.kernel_arguments):
        if (wrong := fault(argument)) is not None:
            reason = f"{point.value}: kernel argument {argument!r:.80}: {wrong}"
            return BrokenPlatform(name, _package(point), "platform-broken", reason)
    return loaded


def _package(point: EntryPoint) -> str:
    # The name is None if the package's METADATA is missing.
    return (point.dist and point.dist.name) or "an unnamed package"


def _broken(found: BrokenPlatform) -> BootimgError:
    if found.error == "platform-duplicate":
        return BootimgError(
            "platform-duplicate",
            f"more than one plugin provides the platform {found.name}",
            context=[found.reason],
            hint="uninstall all of these packages but one",
            exit_code=ExitCode.USAGE,
        )
    return BootimgError(
        "platform-broken",
        f"the plugin of the platform {found.name} cannot be loaded",
        context=[f"from the package {found.package}", found.reason],
        hint="repair or uninstall that package; the other platforms are not affected",
        exit_code=ExitCode.ENVIRONMENT,
    )
