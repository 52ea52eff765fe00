"""Rules for the version and its labels: all declarations must agree.

The rules are those of coreos-assembler's import and of the pipeline.  Of os-release they use VERSION_ID
and OSTREE_VERSION, never VERSION, which has a code name.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.checks.system import System
from bootimg.streams.versions.schemes import FEDORA_STREAMS, FedoraVersion, RhelVersion, Version, find_version

_KEYS = ("OSTREE_VERSION", "IMAGE_VERSION")
_VERSIONS = "io.openshift.build.versions"


class Distribution(StrEnum):
    """The distribution, from the label `com.coreos.osname`, else os-release's ID."""

    RHEL = "rhel"
    CENTOS = "centos"
    FEDORA = "fedora"


_BY_OSNAME = {
    "rhcos": Distribution.RHEL,
    "scos": Distribution.CENTOS,
    "fedora-coreos": Distribution.FEDORA,
}


def distribution(system: System) -> Distribution | None:
    """The system's distribution; None if it is unknown."""
    name = system.labels.get("com.coreos.osname", "")
    id = system.os_release.get("ID", "")
    return _BY_OSNAME.get(name) or next((each for each in Distribution if each == id), None)


def version_findings(system: System) -> Iterator[Finding]:
    """Findings about the version and the labels."""
    if system.labelled:
        yield from _labels(system)
    version = system.version
    if version is None:
        message = "the layer has no version"
        yield finding(Rule.VERSION_LABEL, f"{system.where}, labels", "none", message)
        return
    yield from _os_release(system, version)
    yield from _machine_os(system, version)
    parsed = find_version(version)
    if parsed is None:
        message = "the version does not match any scheme of CoreOS"
        yield finding(Rule.VERSION_SCHEME, f"{system.where}, labels", version, message)
    else:
        yield from _by_version(system, parsed)


def _labels(system: System) -> Iterator[Finding]:
    place, labels = f"{system.where}, labels", system.labels
    if labels.get("containers.bootc") != "1":
        value = labels.get("containers.bootc", "none")
        yield finding(Rule.BOOTC_LABEL, place, f"containers.bootc: {value}", "coreos-assembler refuses it")
    if not labels.get("com.coreos.osname"):
        message = "the system has no name: bootimg names its files custom-…"
        yield finding(Rule.OSNAME_UNSET, place, "com.coreos.osname: none", message)
    if not system.stream:
        message = "the layer does not declare its stream"
        yield finding(Rule.STREAM_UNSET, place, "com.coreos.stream: none", message)


def _os_release(system: System, version: str) -> Iterator[Finding]:
    place = f"{system.where}, os-release"
    for key in _KEYS:
        found = system.os_release.get(key)
        if found not in (None, version):
            message = f"the version label is {version}"
            yield finding(Rule.OS_RELEASE_VERSION, place, f"{key}={found}", message)
    if _KEYS[0] not in system.os_release:
        message = "the running system does not declare its version"
        yield finding(Rule.OS_RELEASE_UNSET, place, f"{_KEYS[0]}: none", message)


def _machine_os(system: System, version: str) -> Iterator[Finding]:
    words = system.labels.get(_VERSIONS, "").replace(",", " ").split()
    for word in words:
        name, _, value = word.partition("=")
        if name == "machine-os" and value != version:
            message = f"the version is {version}"
            yield finding(Rule.MACHINE_OS_LABEL, f"{system.where}, label {_VERSIONS}", word, message)


def _by_version(system: System, version: Version) -> Iterator[Finding]:
    id, stream = _expected(distribution(system), version)
    found = system.os_release.get("VERSION_ID")
    if id is not None and found != id:
        message = f"the version {version} requires {id}"
        yield finding(Rule.VERSION_ID, f"{system.where}, os-release", f"VERSION_ID={found}", message)
    if stream is not None and system.stream not in ("", stream):
        message = f"the version {version} requires {stream}"
        evidence = f"com.coreos.stream={system.stream}"
        yield finding(Rule.STREAM_LABEL, f"{system.where}, labels", evidence, message)


def _expected(made_by: Distribution | None, version: Version) -> tuple[str | None, str | None]:
    """The VERSION_ID and the stream that a version requires; None for a value that it does not decide."""
    if isinstance(version, RhelVersion):
        major, minor = version.system
        if made_by is Distribution.RHEL:
            return f"{major}.{minor}", f"rhel-{major}.{minor}"
        if made_by is Distribution.CENTOS:
            return str(major), f"c{major}s"
    if isinstance(version, FedoraVersion) and made_by is Distribution.FEDORA:
        names = {number: name for name, number in FEDORA_STREAMS.items()}
        return str(version.release), names.get(version.stream)
    return None, None
