"""What belongs to OpenShift's node image and must not be in the layer that disks are made of.

The lists are those of openshift/os (packages-openshift.yaml, build-node-image.sh), the globs cover what
was called otherwise before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Component:
    """A component by its package: globs of packages' names and of units, and paths of its files.

    Whoever allows the package allows its files and units.
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
"""The first that matches a package is its component."""

FILES = ("usr/lib/tmpfiles.d/openshift.conf", "usr/share/openshift/base/meta.json")
"""Files that the build of the node image makes, of no package."""

LABELS: Mapping[str, str] = {
    "io.openshift.metalayer": "*",
    "io.openshift.os.streamclass": "*",
    "name": "openshift/*",
    "cpe": "*:openshift:*",
}
"""Labels that the node image is given, with globs of their values."""

RELEASE_MARK = "rhaos"
"""In the release of what was built for OpenShift."""

RELEASE_EXPECTED = ("afterburn", "conmon-rs", "coreos-installer", "ignition", "toolbox")
"""Packages (and what is named after them) that RHEL's layer takes from OpenShift's builds."""

EXCEPTIONS: Mapping[str, tuple[str, ...]] = {
    # Put there on purpose: RHEL-82921.
    "rhel-9.6": ("ose-aws-ecr-image-credential-provider",),
}
"""Packages that a stream's layer may have, by the label `com.coreos.stream`."""


def component_of(package: str) -> Component | None:
    """The component that a package is of."""
    return next((each for each in COMPONENTS if matches(package, each.packages)), None)


def matches(name: str, globs: tuple[str, ...]) -> bool:
    """Whether one of the globs matches the whole name."""
    return any(fnmatchcase(name, glob) for glob in globs)
