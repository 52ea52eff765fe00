"""The rules: their ids (which never change), subjects, severities and texts.

`docs/cli/verify.md` lists them in a table.
"""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """The severity of a breach: warnings alone leave the exit code 0."""

    ERROR = "error"
    WARNING = "warning"


class Rule(StrEnum):
    """A rule: its id, the kinds of subject that it is checked against, its severity, and its text."""

    subjects: str
    severity: Severity
    says: str

    def __new__(cls, id: str, subjects: str, severity: Severity, says: str) -> Rule:
        """Make a member whose value is the id."""
        rule = str.__new__(cls, id)
        rule._value_ = id
        rule.subjects, rule.severity, rule.says = subjects, severity, says
        return rule

    # fmt: off
    # Purity.
    OCP_PACKAGE = ("ocp-package", "image, disk, iso", Severity.ERROR,
        "no package has a name of OpenShift: `openshift-*`, `ose-*`, `cri-o*`, `openvswitch*`, …")
    OCP_RELEASE = ("ocp-release", "image, disk, iso", Severity.WARNING,
        "no package was built for OpenShift (`rhaos` in its release), except a few of RHEL's layer")
    OCP_FILE = ("ocp-file", "image, disk, iso", Severity.ERROR,
        "the system has no program or file of OpenShift, such as /usr/bin/oc or the node's list of packages")
    OCP_UNIT = ("ocp-unit", "image, disk, iso", Severity.ERROR,
        "the system has no systemd unit of the kubelet, CRI-O or Open vSwitch")
    OCP_LABEL = ("ocp-label", "image, disk, iso, build", Severity.ERROR,
        "the image has no label of a node image, such as `io.openshift.metalayer`")
    OCP_VERSION = ("ocp-version", "image, disk, iso", Severity.ERROR,
        "os-release has no OPENSHIFT_VERSION")
    OCP_MOTD = ("ocp-motd", "image, disk, iso", Severity.ERROR,
        'no message of the day contains "Part of OpenShift"')
    PACKAGES_MISSING = ("packages-missing", "image, disk, iso", Severity.WARNING,
        "the system has a package database: without one, packages cannot be checked")
    PACKAGES_UNREADABLE = ("packages-unreadable", "image, disk, iso", Severity.ERROR,
        "the package database can be read")
    # Versions and labels.
    VERSION_LABEL = ("version-label", "image, disk, iso", Severity.ERROR,
        "the label `org.opencontainers.image.version` is set: it is part of the names of builds and files")
    VERSION_SCHEME = ("version-scheme", "image, disk, iso", Severity.WARNING,
        "the version matches one of the known [schemes](version.md)")
    OS_RELEASE_VERSION = ("os-release-version", "image, disk, iso", Severity.ERROR,
        "OSTREE_VERSION and IMAGE_VERSION of os-release equal the version")
    OS_RELEASE_UNSET = ("os-release-unset", "image, disk, iso", Severity.WARNING,
        "os-release has OSTREE_VERSION")
    VERSION_ID = ("version-id", "image, disk, iso", Severity.ERROR,
        "VERSION_ID is the beginning of the version: X.Y for RHEL, X for CentOS Stream, Fedora's release")
    STREAM_LABEL = ("stream-label", "image, disk, iso", Severity.ERROR,
        "the label `com.coreos.stream` fits the version: `rhel-X.Y`, `cXs`, or Fedora's stream by its number")
    STREAM_UNSET = ("stream-unset", "image, disk, iso", Severity.WARNING,
        "the label `com.coreos.stream` is set: a version alone does not identify the stream")
    OSNAME_UNSET = ("osname-unset", "image, disk, iso", Severity.WARNING,
        "the label `com.coreos.osname` is set: without it, bootimg names files `custom-…`")
    BOOTC_LABEL = ("bootc-label", "image, disk, iso", Severity.WARNING,
        "the label `containers.bootc` is 1, because coreos-assembler requires it")
    MACHINE_OS_LABEL = ("machine-os-label", "image, disk, iso", Severity.ERROR,
        "the label `io.openshift.build.versions`, if set, is `machine-os=` and the version")
    LAYER_UNBUILDABLE = ("layer-unbuildable", "image", Severity.ERROR,
        "bootimg can make a disk of the layer")
    # The pivot of openshift/installer's bootstrap machine into the node image.
    PIVOT_PROGRAM = ("pivot-program", "image, disk, iso", Severity.ERROR,
        "the layers of RHEL and CentOS Stream have the programs of the pivot: rpm, rpm-ostree, podman, …")
    PIVOT_UNIT = ("pivot-unit", "image, disk, iso", Severity.ERROR,
        "the layers of RHEL and CentOS Stream have the units that the pivot waits for")
    # Disks.
    DISK_UNREADABLE = ("disk-unreadable", "disk", Severity.ERROR,
        "the partition table and the boot filesystem can be read")
    PARTITION_LAYOUT = ("partition-layout", "disk", Severity.ERROR,
        "the partitions have the names, numbers and types of the architecture; boot is 3, root is 4")
    PARTITION_SIZE = ("partition-size", "disk", Severity.WARNING,
        "the partitions have the usual sizes: 1 MiB, 127 MiB, boot 384 MiB")
    DISK_SIZE = ("disk-size", "disk, build", Severity.ERROR,
        "the disk has a size that its platform accepts: whole GiB for Google Cloud, whole MiB for others")
    BOOT_CODE = ("boot-code", "disk", Severity.ERROR,
        "the PReP partition has a program for PowerPC, which the firmware of ppc64le starts")
    DISK_TAIL = ("disk-tail", "disk", Severity.ERROR,
        "1 MiB is free after the last partition: the first boot moves the backup table there")
    DISK_STAMP = ("disk-stamp", "disk", Severity.ERROR,
        "the disk's GUID is the placeholder that the first boot replaces")
    FILESYSTEM_TYPE = ("filesystem-type", "disk", Severity.ERROR,
        "EFI-SYSTEM is vfat, boot ext4, root XFS")
    FILESYSTEM_LABEL = ("filesystem-label", "disk", Severity.ERROR,
        "the label of each filesystem is its partition's name")
    FILESYSTEM_STAMP = ("filesystem-stamp", "disk", Severity.ERROR,
        "the filesystems' UUIDs are the placeholders that the first boot looks for")
    BLS_ENTRY = ("bls-entry", "disk", Severity.ERROR,
        "/boot has one boot loader entry, with title, version, linux, initrd and options")
    BLS_OSTREE = ("bls-ostree", "disk", Severity.ERROR,
        "the options of the boot loader entry have `ostree=` exactly once")
    BLS_ROOT = ("bls-root", "disk", Severity.ERROR,
        "the options have no `root=` and no `boot=`: the first boot adds those of the machine")
    BLS_FIRSTBOOT = ("bls-firstboot", "disk", Severity.ERROR,
        "the options have `$ignition_firstboot` (not on s390x)")
    BLS_ARGUMENT = ("bls-argument", "disk", Severity.ERROR,
        "the options reach the kernel unchanged, and fit on its command line")
    IGNITION_PLATFORM = ("ignition-platform", "disk", Severity.ERROR,
        "the options have `ignition.platform.id=` exactly once")
    PLATFORM_UNKNOWN = ("platform-unheard-of", "disk", Severity.WARNING,
        "an installed plugin makes images for the platform of `ignition.platform.id=`")
    CONSOLE_MARKERS = ("console-markers", "disk", Severity.ERROR,
        "/boot/grub2/console.cfg has coreos-installer's markers (not on s390x)")
    FIRSTBOOT_STAMP = ("firstboot-stamp", "disk", Severity.ERROR,
        "/boot/ignition.firstboot exists: without it Ignition does not run")
    ZIPL_RECORD = ("zipl-record", "disk", Severity.ERROR,
        "on s390x, zipl's boot record leads to the kernel, the initramfs and the arguments of the entry")
    ROOT_UNREADABLE = ("root-unreadable", "disk", Severity.ERROR,
        "the root filesystem can be read")
    DEPLOYMENT = ("deployment", "disk", Severity.ERROR,
        "the disk has exactly one deployment")
    ORIGIN = ("origin", "disk", Severity.ERROR,
        "the deployment's origin names the container image that updates come from")
    ALEPH = ("aleph", "disk", Severity.ERROR,
        "the aleph file exists under both names, and its `version` agrees with the image's labels in it")
    FILE_NAME = ("file-name", "disk", Severity.ERROR,
        "a file named `<name>-…` has the name `<name>-<version>-…` of the version that is deployed on it")
    # Live media.
    ISO_DAMAGED = ("iso-damaged", "iso", Severity.ERROR,
        "the ISO's volume and folders can be read, and it is a live ISO of CoreOS")
    ISO_VOLUME_ID = ("iso-volume-id", "iso", Severity.ERROR,
        "the volume id is the first 32 characters of `<name>-<version>`")
    ISO_LABEL = ("iso-label", "iso", Severity.ERROR,
        "`coreos.liveiso=` in the kernel arguments is the volume id (a minimal ISO does not have it)")
    ISO_BOOT = ("iso-boot", "iso", Severity.ERROR,
        "the boot catalogue has an entry for each boot image of the architecture, and isolinux.bin its table;"
        " on ppc64le the boot script leads to a program; on s390x cdboot.img and generic.ins lead to"
        " the kernel and the initramfs")
    ISO_HYBRID = ("iso-hybrid", "iso", Severity.ERROR,
        "an ISO for x86_64 is a disk too: its MBR and GPT lead to isolinux.bin and efiboot.img")
    ISO_AREA = ("iso-area", "iso", Severity.ERROR,
        "the areas are where the info files say, those for kernel arguments with the same text and at most"
        " 2048 bytes each")
    ISO_CONFIG = ("iso-config", "iso", Severity.ERROR,
        "the area for the Ignition config is empty, or has a readable initramfs whose config is JSON")
    ISO_KARGS_CHANGED = ("iso-kargs-changed", "iso", Severity.WARNING,
        "the kernel arguments are those that the ISO was made with")
    ISO_FILES = ("iso-files", "iso, build", Severity.ERROR,
        "the ISO has a kernel, an initramfs and (unless it is a minimal ISO) a rootfs image; in a build they"
        " are those for PXE")
    ISO_MINIMAL = ("iso-minimal", "iso", Severity.ERROR,
        "the data for a minimal ISO, if there is any, gives the ISO that it was made from")
    LIVE_FEATURES = ("live-features", "iso", Severity.ERROR,
        "features.json of the ISO, if the initramfs has one too, is the same")
    LIVE_INITRAMFS = ("live-initramfs", "iso, build", Severity.ERROR,
        "the archives of the initramfs can be read")
    LIVE_ROOTFS = ("live-rootfs", "iso, build", Severity.ERROR,
        "the rootfs image is an archive that has a squashfs or an erofs at byte 124")
    LIVE_SYSTEM = ("live-system", "iso, build", Severity.ERROR,
        "the files in the root file system can be read, and it has exactly one deployment")
    LIVE_VERSION = ("live-version", "iso, build", Severity.ERROR,
        "initramfs and rootfs image have the same version, in a build that of the build")
    LIVE_STREAM_HASH = ("live-stream-hash", "iso, build", Severity.ERROR,
        "the rootfs image has the checksums that are in the initramfs")
    LIVE_OSMET = ("live-osmet", "iso, build", Severity.ERROR,
        "the osmet files can be read; in a build their images are its metal images")
    # Builds.
    META_SCHEMA = ("meta-schema", "build", Severity.ERROR,
        "meta.json has the keys and types that coreos-assembler's schema requires")
    META_KEY = ("meta-key", "build", Severity.WARNING,
        "meta.json has no key that coreos-assembler's schema refuses")
    BUILD_ID = ("build-id", "build", Severity.ERROR,
        "build id and ostree-version equal the build's folder, and basearch equals the architecture's folder")
    BUILD_LABELS = ("build-labels", "build", Severity.ERROR,
        "the layer's labels in meta.json agree with the build's version and name")
    ARTIFACT_PATH = ("artifact-path", "build", Severity.ERROR,
        "each artifact has its own file in the build's folder")
    ARTIFACT_NAME = ("artifact-name", "build", Severity.ERROR,
        "the artifact's file name is `<name>-<build>-<platform>.<arch>…`")
    ARTIFACT_GONE = ("artifact-gone", "build", Severity.ERROR,
        "the artifact's file exists and can be read")
    ARTIFACT_SIZE = ("artifact-size", "build", Severity.ERROR,
        "the artifact has the size that is in meta.json")
    SIZE_UNSET = ("size-unset", "build", Severity.WARNING,
        "meta.json has the artifact's size")
    ARTIFACT_DIGEST = ("artifact-digest", "build", Severity.ERROR,
        "the artifact has the digest that is in meta.json")
    UNCOMPRESSED_DIGEST = ("uncompressed-digest", "build", Severity.ERROR,
        "the decompressed content of a compressed artifact matches `uncompressed-sha256` and `-size`"
        " (optional with `skip-compression`); no other artifact has these keys")
    ARCHIVE_IMAGE = ("archive-image", "build", Severity.ERROR,
        "the archive holds the image of the recorded manifest, and its version is the build's")
    RECORD_UNREADABLE = ("record-unreadable", "build", Severity.ERROR,
        "bootimg.json, if it exists, can be read")
    DRAFT = ("draft", "build", Severity.WARNING,
        "no artifact is a draft (`build --draft`), which is larger than the layer wants it")
    SBOM_GONE = ("sbom-gone", "build", Severity.ERROR,
        "the SBOM that bootimg.json names exists and can be read")
    SBOM_DIGEST = ("sbom-digest", "build", Severity.ERROR,
        "the SBOM has the digest that is in bootimg.json")
    PROVENANCE_GONE = ("provenance-gone", "build", Severity.ERROR,
        "the provenance that bootimg.json names exists and can be read")
    PROVENANCE_DIGEST = ("provenance-digest", "build", Severity.ERROR,
        "the provenance has the digest that is in bootimg.json")
    PROVENANCE_MALFORMED = ("provenance-malformed", "build", Severity.ERROR,
        "the [provenance](../provenance.md) is an in-toto statement with SLSA provenance")
    PROVENANCE_SUBJECT = ("provenance-subject", "build", Severity.ERROR,
        "each artifact is a subject of the provenance, with its digest (else a warning, if others made it)")
    PROVENANCE_ARTIFACT = ("provenance-artifact", "build", Severity.WARNING,
        "each subject of the provenance is an artifact of the build")
    PROVENANCE_LAYER = ("provenance-layer", "build", Severity.ERROR,
        "the provenance names the build's layer by its digest")
    SIGNATURE_GONE = ("signature-gone", "build", Severity.ERROR,
        "if one file is signed (or with `--signed`), all artifacts, SBOM and provenance have a `<file>.sig`")
    SIGNATURE_BAD = ("signature-bad", "build", Severity.ERROR,
        "each signature matches the file beside it and is made with a known key")
    BUNDLE_GONE = ("bundle-gone", "build", Severity.ERROR,
        "with `--cosign-key`: SBOM and provenance have a Sigstore bundle, `<file>.sigstore.json`")
    BUNDLE_BAD = ("bundle-bad", "build", Severity.ERROR,
        "each bundle holds the statement about the file beside it; a key of `--cosign-key` signed it")
    BUILD_UNLISTED = ("build-unlisted", "build", Severity.ERROR,
        "builds.json lists the build with its architecture")
    # A node image with --base.
    NODE_LABEL = ("node-label", "node", Severity.ERROR,
        "the node image has the base's version, stream, name and `com.coreos.inputhash`")
    NODE_BASE_DIGEST = ("node-base-digest", "node", Severity.WARNING,
        "`org.opencontainers.image.base.digest`, if the node image has it, is the base's digest")
    NODE_LAYERS = ("node-layers", "node", Severity.ERROR,
        "the first layers of the node image are those of the base")
    NODE_PACKAGE = ("node-package", "node", Severity.ERROR,
        "every package of the base is in the node image, in the same version")
    NODE_OC = ("node-oc", "node", Severity.ERROR,
        "the node image has /usr/bin/oc and the package openshift-clients, which installers look for")
    NODE_METADATA = ("node-metadata", "node", Severity.WARNING,
        "the node image has the label `io.openshift.metalayer` and the list of packages in its last layer")
    NODE_DISK_SPACE = ("node-disk-space", "node", Severity.ERROR,
        "the node image fits into the free space of the base's disks: a bootstrap machine pulls it there")
    NODE_LIVE_SPACE = ("node-live-space", "node", Severity.ERROR,
        "the node image fits into the file system in memory for it: 5 GiB, on ppc64le 6 GiB")
    # With --rebuild.
    REBUILD_IMPOSSIBLE = ("rebuild-impossible", "build", Severity.ERROR,
        "with `--rebuild`: the build has its archive and a record of how its images were made, and `--deploy"
        " native` made them")
    REBUILD_VERSION = ("rebuild-version", "build", Severity.WARNING,
        "with `--rebuild`: the image was made by this version of bootimg")
    REBUILD_DIFFERS = ("rebuild-differs", "build", Severity.ERROR,
        "with `--rebuild`: the image that is made again from the archive has the same bytes")
    # fmt: on
