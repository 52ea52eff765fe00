"""Everything that a manifest tells the builder to do, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bootimg.platform import Packaging


@dataclass(frozen=True, slots=True)
class Partition:
    """`start` and `size` in sectors; `attrs` are GPT attribute bits; without `uuid` the builder chooses."""

    number: int
    name: str
    type: str
    start: int
    size: int
    bootable: bool
    attrs: tuple[int, ...]
    uuid: str | None


@dataclass(frozen=True, slots=True)
class Disk:
    """`sector_size` and `size` in bytes."""

    label: str
    uuid: str
    sector_size: int
    size: int
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Fat:
    """mkfs.fat's options; `geometry` is heads and sectors per track."""

    partition: int
    volid: str
    label: str | None = None
    fat_size: int | None = None
    geometry: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Ext4:
    """mkfs.ext4's options; None leaves a feature to mkfs."""

    partition: int
    uuid: str
    label: str | None = None
    lazy_init: bool | None = None
    metadata_csum_seed: bool | None = None
    orphan_file: bool | None = None
    verity: bool | None = None


@dataclass(frozen=True, slots=True)
class Xfs:
    """mkfs.xfs's options."""

    partition: int
    uuid: str
    label: str | None = None
    agcount: int | None = None


Filesystem = Fat | Ext4 | Xfs


@dataclass(frozen=True, slots=True)
class Mount:
    """A partition's file system and where it is mounted."""

    partition: int
    target: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory to make; `partition` is None if the path is one of the mounted tree."""

    partition: int | None
    path: str
    mode: int
    parents: bool = False
    exist_ok: bool = False


@dataclass(frozen=True, slots=True)
class Labels:
    """SELinux labels for `target` with the partitions `mounted`; `file_contexts` is a path of the layer."""

    target: str
    mounted: tuple[int, ...]
    file_contexts: str
    exclude_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deploy:
    """The deployment's origin and kernel arguments; `mounts` of the sysroot are mounted during it."""

    target_imgref: str
    kernel_opts: tuple[str, ...]
    mounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """The immutable flag of a path of the deployment."""

    path: str
    immutable: bool


@dataclass(frozen=True, slots=True)
class Ignition:
    """The directory of ignition.firstboot, and the network arguments in that file."""

    directory: str
    network: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aleph:
    """Whether the aleph also exists under its old name."""

    coreos_compat: bool


@dataclass(frozen=True, slots=True)
class Sysroot:
    """What osbuild's pipeline `tree` makes.  `repo_config` is set before the deployment."""

    source_epoch: int | None
    labels: Labels | None
    osname: str
    repo_config: Mapping[str, str]
    directories: tuple[Directory, ...]
    ignition: Ignition
    deploy: Deploy
    deployment_attributes: tuple[Attribute, ...]
    repo_config_after: Mapping[str, str]
    aleph: Aleph
    label_deployment: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link to make on the mounted disk."""

    path: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootc:
    """An installation by `bootc install to-filesystem`, followed by the stamp and the links.

    None leaves an option to bootc.  With an empty mount specification bootc writes no such kernel argument.
    """

    target_imgref: str | None
    kernel_args: tuple[str, ...]
    stateroot: str | None
    root_mount_spec: str | None
    boot_mount_spec: str | None
    skip_boot_uuid: bool
    ssh_keys: tuple[str, ...]
    ignition: Ignition
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class BiosTarget:
    """Where GRUB for the BIOS is installed: on a partition, or on the whole disk if it is None."""

    partition: int | None


@dataclass(frozen=True, slots=True)
class Bootupd:
    """How the bootloader is installed."""

    static_configs: bool
    bios: BiosTarget | None


@dataclass(frozen=True, slots=True)
class Zipl:
    """s390x's boot record; `location` in sectors."""

    kernel: str
    kernel_opts_append: tuple[str, ...]
    location: int


@dataclass(frozen=True, slots=True)
class Package:
    """How a disk is packed: `member` is the disk's name in the package.

    `level` is gzip's; `architecture` (an OCI name) and `labels` are those of a container image.
    """

    kind: Packaging
    member: str
    level: int | None = None
    architecture: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PlatformDisk:
    """A platform's disk image and artifact; the disk is enlarged to `size` bytes (None: the base's size)."""

    name: str
    platform_id: str
    size: int | None
    zipl: Zipl | None
    filename: str
    format: str
    format_options: Mapping[str, str | bool]
    package: Package | None = None


@dataclass(frozen=True, slots=True)
class ContainerSource:
    """Where osbuild gets the image from: the digest of an archive or image, and its name."""

    digest: str
    reference: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """The part of a manifest that makes one base disk and the disks of the platforms based on it.

    `filesystems` and `mounts` are in the order to make and to mount them.  `directories` and `labels` apply,
    in order, to the file systems while they are empty.  `sysroot` describes a deployment by ostree, `bootc`
    an installation by bootc: one of the two is None.
    """

    disk: Disk
    filesystems: tuple[Filesystem, ...]
    mounts: tuple[Mount, ...]
    directories: tuple[Directory, ...]
    labels: tuple[Labels, ...]
    sysroot: Sysroot | None
    bootloader: Bootupd | None
    attributes: tuple[Attribute, ...]
    platforms: Mapping[str, PlatformDisk]
    source: ContainerSource
    bootc: Bootc | None = None

    @property
    def source_epoch(self) -> int:
        """The time for time stamps, in seconds since 1970."""
        return (self.sysroot.source_epoch if self.sysroot else None) or 0

    @property
    def drive(self) -> str:
        """The disk's name while several are made together; it has only letters."""
        return "disk" if self.disk.sector_size == 512 else "disknative"
