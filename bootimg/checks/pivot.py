"""Programs and units that the bootstrap machine needs to pivot into the node image, live or on a disk.

Source: openshift/installer's data/data/bootstrap/files: node-image-pull.sh, node-image-overlay.sh and
their units.  Additions of the live environment (/run/ostree-live, coreos.liveiso=) are not in the layer.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.checks.system import ETC, System
from bootimg.checks.versionrules import Distribution, distribution

PROGRAMS = ("rpm", "rpm-ostree", "ostree", "podman", "jq", "rsync", "semodule", "chcon", "NetworkManager")
"""Each is in /usr/bin or /usr/sbin."""
OSTREE_CONTAINER = "usr/libexec/libostree/ext/ostree-container"
"""The program that `ostree container` runs; a part of rpm-ostree and bootc."""
UNITS = ("NetworkManager.service", "sshd.service", "getty.target", "systemd-user-sessions.service")
_UNIT_FOLDERS = ("usr/lib/systemd/system", *(f"{etc}/systemd/system" for etc in ETC))


def pivot_findings(system: System) -> Iterator[Finding]:
    """Missing programs and units, in layers from which OpenShift is installed: RHEL's and CentOS Stream's."""
    if distribution(system) not in (Distribution.RHEL, Distribution.CENTOS):
        return
    message = "the pivot into the node image needs it"
    for name in PROGRAMS:
        if not any(system.has(f"usr/{folder}/{name}") for folder in ("bin", "sbin")):
            yield finding(Rule.PIVOT_PROGRAM, system.where, f"no {name} in /usr/bin or /usr/sbin", message)
    if not system.has(OSTREE_CONTAINER):
        yield finding(Rule.PIVOT_PROGRAM, system.where, f"no /{OSTREE_CONTAINER}", message)
    for name in UNITS:
        if not any(system.has(f"{folder}/{name}") for folder in _UNIT_FOLDERS):
            yield finding(Rule.PIVOT_UNIT, system.where, f"no {name}", message)
