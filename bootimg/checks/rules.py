"""The rules by their ids, which never change: what they are about, how bad a breach is, what they say.

`docs/cli/verify.md` has them as a table.
"""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad it is: warnings alone leave the exit code 0."""

    ERROR = "error"
    WARNING = "warning"


class Rule(StrEnum):
    """A rule: its id, the kinds of subject it is held against, its severity, and what it says."""

    subjects: str
    severity: Severity
    says: str

    def __new__(cls, id: str, subjects: str, severity: Severity, says: str) -> Rule:
        """Make a member, which is its id."""
        rule = str.__new__(cls, id)
        rule._value_ = id
        rule.subjects, rule.severity, rule.says = subjects, severity, says
        return rule

    # fmt: off
    # Purity.
    OCP_PACKAGE = ("ocp-package", "image, disk", Severity.ERROR,
        "no package of OpenShift, by its name: `openshift-*`, `ose-*`, `cri-o*`, `openvswitch*`, …")
    OCP_RELEASE = ("ocp-release", "image, disk", Severity.WARNING,
        "no package built for OpenShift (`rhaos` in its release), but for a few that RHEL's layer has")
    OCP_FILE = ("ocp-file", "image, disk", Severity.ERROR,
        "no program or file of OpenShift, such as /usr/bin/oc or the node's list of packages")
    OCP_UNIT = ("ocp-unit", "image, disk", Severity.ERROR,
        "no systemd unit of the kubelet, CRI-O or Open vSwitch")
    OCP_LABEL = ("ocp-label", "image, disk, build", Severity.ERROR,
        "no label of a node image, such as `io.openshift.metalayer`")
    OCP_VERSION = ("ocp-version", "image, disk", Severity.ERROR,
        "no OPENSHIFT_VERSION in os-release")
    OCP_MOTD = ("ocp-motd", "image, disk", Severity.ERROR,
        'no message of the day that says "Part of OpenShift"')
    PACKAGES_MISSING = ("packages-missing", "image, disk", Severity.WARNING,
        "there is a package database: without one, packages cannot be looked for")
    PACKAGES_UNREADABLE = ("packages-unreadable", "image, disk", Severity.ERROR,
        "the package database can be read")
    # Versions and labels.
    VERSION_LABEL = ("version-label", "image, disk", Severity.ERROR,
        "the label `org.opencontainers.image.version` is there: builds and files are named after it")
    VERSION_SCHEME = ("version-scheme", "image, disk", Severity.WARNING,
        "the version is of one of the [schemes](version.md) there are")
    OS_RELEASE_VERSION = ("os-release-version", "image, disk", Severity.ERROR,
        "OSTREE_VERSION and IMAGE_VERSION of os-release are the version")
    OS_RELEASE_UNSET = ("os-release-unset", "image, disk", Severity.WARNING,
        "os-release has OSTREE_VERSION")
    VERSION_ID = ("version-id", "image, disk", Severity.ERROR,
        "VERSION_ID is what the version begins with: X.Y of RHEL, X of CentOS Stream, Fedora's release")
    STREAM_LABEL = ("stream-label", "image, disk", Severity.ERROR,
        "the label `com.coreos.stream` is the version's: `rhel-X.Y`, `cXs`, or Fedora's by its number")
    STREAM_UNSET = ("stream-unset", "image, disk", Severity.WARNING,
        "the label `com.coreos.stream` is there: a version alone does not tell the stream")
    OSNAME_UNSET = ("osname-unset", "image, disk", Severity.WARNING,
        "the label `com.coreos.osname` is there: else files are called `custom-…`")
    BOOTC_LABEL = ("bootc-label", "image, disk", Severity.WARNING,
        "the label `containers.bootc` is 1, which coreos-assembler insists on")
    MACHINE_OS_LABEL = ("machine-os-label", "image, disk", Severity.ERROR,
        "`io.openshift.build.versions`, where it is set, is `machine-os=` and the version")
    LAYER_UNBUILDABLE = ("layer-unbuildable", "image", Severity.ERROR,
        "a disk can be made of the layer")
    # The pivot of openshift/installer's bootstrap machine into the node image.
    PIVOT_PROGRAM = ("pivot-program", "image, disk", Severity.ERROR,
        "RHEL's and CentOS Stream's layers have what the pivot runs: rpm, rpm-ostree, podman, …")
    PIVOT_UNIT = ("pivot-unit", "image, disk", Severity.ERROR,
        "… and the units that it waits for")
    # Disks.
    DISK_UNREADABLE = ("disk-unreadable", "disk", Severity.ERROR,
        "the partition table and the boot filesystem can be read")
    PARTITION_LAYOUT = ("partition-layout", "disk", Severity.ERROR,
        "the partitions are the architecture's: names, numbers, types; boot is 3, root is 4")
    PARTITION_SIZE = ("partition-size", "disk", Severity.WARNING,
        "they have the usual sizes: 1 MiB, 127 MiB, boot 384 MiB")
    DISK_SIZE = ("disk-size", "disk, build", Severity.ERROR,
        "a disk has a size that its platform takes: whole GiB for Google Cloud, whole MiB for others")
    DISK_TAIL = ("disk-tail", "disk", Severity.ERROR,
        "1 MiB is free behind the last partition: the first boot moves the backup table there")
    DISK_STAMP = ("disk-stamp", "disk", Severity.ERROR,
        "the disk's GUID is the stamp that the first boot looks for")
    FILESYSTEM_TYPE = ("filesystem-type", "disk", Severity.ERROR,
        "EFI-SYSTEM is vfat, boot ext4, root XFS")
    FILESYSTEM_LABEL = ("filesystem-label", "disk", Severity.ERROR,
        "each filesystem has its partition's name as label")
    FILESYSTEM_STAMP = ("filesystem-stamp", "disk", Severity.ERROR,
        "the filesystems' UUIDs are the stamps that the first boot looks for")
    BLS_ENTRY = ("bls-entry", "disk", Severity.ERROR,
        "/boot has one boot loader entry, with title, version, linux, initrd and options")
    BLS_OSTREE = ("bls-ostree", "disk", Severity.ERROR,
        "its options have `ostree=`, once")
    BLS_ROOT = ("bls-root", "disk", Severity.ERROR,
        "its options have no `root=` and no `boot=`: the first boot adds the machine's own")
    BLS_FIRSTBOOT = ("bls-firstboot", "disk", Severity.ERROR,
        "its options have `$ignition_firstboot` (not on s390x)")
    BLS_ARGUMENT = ("bls-argument", "disk", Severity.ERROR,
        "its options reach the kernel as they are written, and there is room for them")
    IGNITION_PLATFORM = ("ignition-platform", "disk", Severity.ERROR,
        "its options have `ignition.platform.id=`, once")
    PLATFORM_UNKNOWN = ("platform-unheard-of", "disk", Severity.WARNING,
        "that is a platform that some plugin makes images for")
    CONSOLE_MARKERS = ("console-markers", "disk", Severity.ERROR,
        "/boot/grub2/console.cfg has coreos-installer's markers (not on s390x)")
    FIRSTBOOT_STAMP = ("firstboot-stamp", "disk", Severity.ERROR,
        "/boot/ignition.firstboot is there: without it Ignition does not run")
    ROOT_UNREADABLE = ("root-unreadable", "disk", Severity.ERROR,
        "the root filesystem can be read")
    DEPLOYMENT = ("deployment", "disk", Severity.ERROR,
        "there is one deployment")
    ORIGIN = ("origin", "disk", Severity.ERROR,
        "its origin names the container image that updates come from")
    ALEPH = ("aleph", "disk", Severity.ERROR,
        "the aleph file has `version` and the image's labels, which agree, and has both of its names")
    FILE_NAME = ("file-name", "disk", Severity.ERROR,
        "a file called `<name>-…` is called after the version that is deployed on it: `<name>-<version>-…`")
    # Builds.
    META_SCHEMA = ("meta-schema", "build", Severity.ERROR,
        "meta.json has what coreos-assembler's schema demands, in the types it demands")
    META_KEY = ("meta-key", "build", Severity.WARNING,
        "meta.json has no key that coreos-assembler's schema refuses")
    BUILD_ID = ("build-id", "build", Severity.ERROR,
        "build id, ostree-version, folders and basearch are the same")
    BUILD_LABELS = ("build-labels", "build", Severity.ERROR,
        "the layer's labels in meta.json have the build's version and name")
    ARTIFACT_PATH = ("artifact-path", "build", Severity.ERROR,
        "an artifact is a file of its own in the build's folder")
    ARTIFACT_NAME = ("artifact-name", "build", Severity.ERROR,
        "it is called `<name>-<build>-<platform>.<arch>…`")
    ARTIFACT_GONE = ("artifact-gone", "build", Severity.ERROR,
        "its file is there and can be read")
    ARTIFACT_SIZE = ("artifact-size", "build", Severity.ERROR,
        "it has the size that meta.json says")
    SIZE_UNSET = ("size-unset", "build", Severity.WARNING,
        "meta.json says its size")
    ARTIFACT_DIGEST = ("artifact-digest", "build", Severity.ERROR,
        "it has the digest that meta.json says")
    UNCOMPRESSED_DIGEST = ("uncompressed-digest", "build", Severity.ERROR,
        "what a compressed one holds has `uncompressed-sha256` and `-size` (with `skip-compression` it need"
        " not); no other has them")
    ARCHIVE_IMAGE = ("archive-image", "build", Severity.ERROR,
        "the archive holds the image of the recorded manifest, with the build's version")
    RECORD_UNREADABLE = ("record-unreadable", "build", Severity.ERROR,
        "bootimg.json, where it is there, can be read")
    SBOM_GONE = ("sbom-gone", "build", Severity.ERROR,
        "the SBOM that bootimg.json names is there and can be read")
    SBOM_DIGEST = ("sbom-digest", "build", Severity.ERROR,
        "it has the digest that bootimg.json says")
    SIGNATURE_GONE = ("signature-gone", "build", Severity.ERROR,
        "where one artifact is signed (or `--signed` is given) all are, and the SBOM, `<file>.sig`")
    SIGNATURE_BAD = ("signature-bad", "build", Severity.ERROR,
        "a signature is of the file beside it, by a known key")
    BUILD_UNLISTED = ("build-unlisted", "build", Severity.ERROR,
        "builds.json lists the build with its architecture")
    # fmt: on
