"""Content of OpenShift's node image, which must not be in the layer that bootimg makes disks of.

The lists are those of openshift/os (packages-openshift.yaml, build-node-image.sh).  The globs also cover
older names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Component:
    """A component of OpenShift: globs of its packages and units, and the paths of its files.

    Allowing `package` also allows the files and units.
    """

    package: str
    packages: tuple[str, ...]
    files: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


COMPONENTS = (
    Component(
        "openshift-clients",
        ("openshift-clients*",),
        files=("usr/bin/oc", "usr/bin/kubectl"),
    ),
    Component(
        "openshift-kubelet",
        ("openshift-kubelet", "openshift-hyperkube"),
        files=("usr/bin/kubelet",),
        units=("kubelet*",),
    ),
    Component("cri-o", ("cri-o*",), files=("usr/bin/crio", "usr/libexec/crio/conmon"), units=("crio*",)),
    Component("cri-tools", ("cri-tools",), files=("usr/bin/crictl",)),
    Component("conmon-rs", ("conmon-rs",)),
    Component("openvswitch", ("openvswitch*",), units=("openvswitch*", "ovs-vswitchd*", "ovsdb-server*")),
    Component("NetworkManager-ovs", ("NetworkManager-ovs",)),
    Component("ose-*", ("ose-*",)),
    Component("openshift-*", ("openshift-*",)),
)
"""A package belongs to the first component that matches it."""

FILES = ("usr/lib/tmpfiles.d/openshift.conf", "usr/share/openshift/base/meta.json")
"""Files that the build of the node image makes, which belong to no package."""

LABELS: Mapping[str, str] = {
    "io.openshift.metalayer": "*",
    "io.openshift.os.streamclass": "*",
    "name": "openshift/*",
    "cpe": "*:openshift:*",
}
"""Labels of the node image, with globs of their values."""

RELEASE_MARK = "rhaos"
"""A part of the release of packages that were built for OpenShift."""

RELEASE_EXPECTED = ("afterburn", "conmon-rs", "coreos-installer", "ignition", "toolbox")
"""Packages (and their subpackages) that RHEL's layer takes from OpenShift's builds."""

EXCEPTIONS: Mapping[str, tuple[str, ...]] = {
    # It is there on purpose: RHEL-82921.
    "rhel-9.6": ("ose-aws-ecr-image-credential-provider",),
}
"""Packages that a stream's layer may have, by the value of the label `com.coreos.stream`."""


def component_of(package: str) -> Component | None:
    """The component that a package belongs to."""
    return next((each for each in COMPONENTS if matches(package, each.packages)), None)


def matches(name: str, globs: tuple[str, ...]) -> bool:
    """Whether one of the globs matches the whole name."""
    return any(fnmatchcase(name, glob) for glob in globs)
