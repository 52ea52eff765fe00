"""The targets: everything that a build can hold, with its names in files, meta.json and metadata.

This module declares only names.  `bootimg.orchestrator` makes those targets that bootimg can make.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.platform import Platform, platforms

LAYER_KEY = "ostree"
"""The key of the layer's archive in meta.json."""
MANIFEST_KEY = "oci-manifest"
SBOM_KEY = "sbom"
EXTENSIONS_KEY = "extensions-container"
IGNITION_KEY = "ignition-gpg-key"
PROVENANCE_KEY = "provenance"
SPDX = ".spdx.json"
"""The end of the file name of an SPDX document in JSON."""
INTOTO = ".intoto.json"
"""The end of the file name of an in-toto statement in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The position of a file in release.json and stream metadata.

    `role` is the file's name within the format.  Without `format` the format is `prefix` followed by the
    suffix of the file's name.
    """

    platform: str
    format: str | None = None
    role: str = "disk"
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFile:
    """A file of a target: `<osname>-<build>-<label>.<arch><ending>`, or without the arch.

    `key` is its key in meta.json's `images`, or in bootimg.json if it is not `in_meta`.  A file that is not
    `listed` only accompanies another: plans, results and a stream's list of artifacts do not name it.
    `place` is None if the file is not published.
    """

    key: str
    ending: str = ""
    label: str = ""
    place: Place | None = None
    listed: bool = True
    in_meta: bool = True
    arch_in_name: bool = True

    def file_name(self, osname: str, build_id: str, arch: Arch, suffix: str = "") -> str:
        """The file's name in a build; `suffix` is a compressor's, with its dot."""
        of_arch = f".{arch.value}" if self.arch_in_name else ""
        return f"{osname}-{build_id}-{self.label or self.key}{of_arch}{self.ending}{suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTarget:
    """A target with its names.

    `name` is the name of its step and of its record in the journal.  `artifacts` are its names in the
    pipeline's config.yaml.  `platform` is the platform whose image it is, or None.  With `on_request`, `-p`
    accepts its name.  A `disk_image` is not made if disk images are skipped.  `obstacle` says why this
    version of bootimg cannot make it.  With `has_draft`, `--draft` makes it quicker and larger.  `made_from`
    are the platforms whose disks it is made from.
    A target that is not `repeatable` has keys in it that are drawn at random.
    """

    name: str
    files: tuple[TargetFile, ...] = ()
    artifacts: tuple[str, ...] = ()
    platform: Platform | None = None
    on_request: bool = False
    disk_image: bool = True
    obstacle: str | None = None
    has_draft: bool = False
    arches: frozenset[Arch] = frozenset(Arch)
    made_from: tuple[str, ...] = ()
    repeatable: bool = True

    @property
    def meta_keys(self) -> tuple[str, ...]:
        """The keys of all its files in meta.json."""
        return tuple(each.key for each in self.files if each.in_meta)

    @property
    def listed(self) -> tuple[TargetFile, ...]:
        """The files that plans and results list."""
        return tuple(each for each in self.files if each.listed)

    @property
    def listed_keys(self) -> tuple[str, ...]:
        """The keys of those files."""
        return tuple(each.key for each in self.listed)


def _of_metal(format: str, role: str = "disk") -> Place:
    """The place of live media, which are part of `metal` in release.json."""
    return Place(platform="metal", format=format, role=role)


_NO_BOOT_STREAM = "NVIDIA's own firmware and programs make its boot stream, and bootimg has neither"
_NOT_OURS = "bootimg does not make it"
_INSTALLED = "coreos-installer formats a DASD and copies the metal image's partitions to it"

ARCHIVE = DeclaredTarget(
    name="archive",
    files=(
        TargetFile(key=LAYER_KEY, ending=".ociarchive"),
        TargetFile(key=MANIFEST_KEY, label=LAYER_KEY, ending="-manifest.json", listed=False),
    ),
    disk_image=False,
)
SBOM = DeclaredTarget(
    name="sbom",
    files=(TargetFile(key=SBOM_KEY, ending=SPDX, listed=False, in_meta=False),),
    disk_image=False,
)
PROVENANCE = TargetFile(key=PROVENANCE_KEY, ending=INTOTO, listed=False, in_meta=False)
"""The statement about all files of a build.  It is no target: it is written whenever one was made."""
EXTENSIONS = DeclaredTarget(
    name="extensions",
    files=(TargetFile(key=EXTENSIONS_KEY, ending=".ociarchive"),),
    artifacts=(EXTENSIONS_KEY,),
    disk_image=False,
)
LIVE = DeclaredTarget(
    name="live",
    files=(
        TargetFile(key="live-iso", ending=".iso", place=_of_metal("iso")),
        TargetFile(key="live-kernel", place=_of_metal("pxe", "kernel")),
        TargetFile(key="live-initramfs", ending=".img", place=_of_metal("pxe", "initramfs")),
        TargetFile(key="live-rootfs", ending=".img", place=_of_metal("pxe", "rootfs")),
    ),
    artifacts=("live",),
    on_request=True,
    has_draft=True,
    made_from=("metal", "metal4k"),
)
SECEX = DeclaredTarget(
    name="qemu-secex",
    files=(
        TargetFile(key="qemu-secex", ending=".qcow2", place=Place(platform="qemu-secex")),
        TargetFile(
            key=IGNITION_KEY,
            label="ignition-secex-key",
            ending=".gpg.pub",
            listed=False,
            arch_in_name=False,
        ),
    ),
    artifacts=("qemu-secex", "secex"),
    on_request=True,
    arches=frozenset({Arch.S390X}),
    made_from=("qemu",),
    repeatable=False,
)
# What older versions of coreos-assembler made, and what it makes from containers.
_OTHERS = (
    DeclaredTarget(
        name="installer",
        files=(
            TargetFile(key="iso", ending=".iso", place=_of_metal("installer.iso")),
            TargetFile(key="kernel", place=_of_metal("installer-pxe", "kernel")),
            TargetFile(key="initramfs", ending=".img", place=_of_metal("installer-pxe", "initramfs")),
        ),
        obstacle=_NOT_OURS,
    ),
    DeclaredTarget(name="dasd", files=(TargetFile(key="dasd"),), obstacle=_INSTALLED),
    DeclaredTarget(
        name="rpm-extensions",
        artifacts=("extensions",),
        disk_image=False,
        obstacle=f"extensions are supported only as a container: {EXTENSIONS_KEY}",
    ),
    DeclaredTarget(
        name="legacy-oscontainer",
        files=(TargetFile(key="legacy-oscontainer"),),
        artifacts=("legacy-oscontainer",),
        disk_image=False,
        obstacle=_NOT_OURS,
    ),
    DeclaredTarget(
        name="hashlist-experimental",
        artifacts=("hashlist-experimental",),
        disk_image=False,
        obstacle=_NOT_OURS,
    ),
)
DECLARED = (ARCHIVE, SBOM, EXTENSIONS, LIVE, SECEX, *_OTHERS)
"""Every target except the platforms' images."""


def image_of(platform: Platform) -> DeclaredTarget:
    """The target for a platform's image."""
    name, _ = platform.release_key
    file = TargetFile(
        key=platform.image_key,
        label=platform.name,
        ending=f".{platform.suffix}",
        place=Place(platform=name, prefix=platform.release_prefix),
    )
    return DeclaredTarget(
        name=platform.name,
        files=(file,),
        artifacts=(platform.name,),
        platform=platform,
        on_request=True,
        obstacle=None if platform.buildable else _NO_BOOT_STREAM,
        arches=platform.arches,
    )


def every_target() -> Iterator[DeclaredTarget]:
    """The platforms' images and all other targets; a platform comes before a declared target of its name."""
    yield from map(image_of, platforms().values())
    yield from DECLARED


def target_of_artifact(artifact: str) -> DeclaredTarget | None:
    """The target for a name in config.yaml."""
    return next((each for each in every_target() if artifact in each.artifacts), None)


def target_of_key(key: str) -> DeclaredTarget | None:
    """The target with this key in meta.json."""
    return next((each for each in every_target() if key in each.meta_keys), None)


def target_file(key: str) -> TargetFile | None:
    """The file with this key in meta.json."""
    found = target_of_key(key)
    return next(each for each in found.files if each.key == key) if found else None


def platform_of_key(key: str) -> Platform | None:
    """The platform whose image has this key in meta.json, if any."""
    found = target_of_key(key)
    return found.platform if found else None
