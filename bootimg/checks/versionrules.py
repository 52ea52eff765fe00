"""The version and its labels: what must be the same wherever it is said.

The invariants are those of coreos-assembler's import and of the pipeline; os-release is read by its
VERSION_ID and OSTREE_VERSION, never by VERSION, which has a code name.
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
    """Whose CoreOS it is, by the label `com.coreos.osname`, else os-release's ID."""

    RHEL = "rhel"
    CENTOS = "centos"
    FEDORA = "fedora"


_BY_OSNAME = {
    "rhcos": Distribution.RHEL,
    "scos": Distribution.CENTOS,
    "fedora-coreos": Distribution.FEDORA,
}


def distribution(system: System) -> Distribution | None:
    """Whose it is; None where nothing says it."""
    name = system.labels.get("com.coreos.osname", "")
    id = system.os_release.get("ID", "")
    return _BY_OSNAME.get(name) or next((each for each in Distribution if each == id), None)


def version_findings(system: System) -> Iterator[Finding]:
    """What is wrong with the version and the labels."""
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
        message = "the version is of none of the schemes of CoreOS"
        yield finding(Rule.VERSION_SCHEME, f"{system.where}, labels", version, message)
    else:
        yield from _of_system(system, parsed)


def _labels(system: System) -> Iterator[Finding]:
    place, labels = f"{system.where}, labels", system.labels
    if labels.get("containers.bootc") != "1":
        value = labels.get("containers.bootc", "none")
        yield finding(Rule.BOOTC_LABEL, place, f"containers.bootc: {value}", "coreos-assembler refuses it")
    if not labels.get("com.coreos.osname"):
        message = "the system has no name: files are called custom-…"
        yield finding(Rule.OSNAME_UNSET, place, "com.coreos.osname: none", message)
    if not system.stream:
        message = "the layer does not say which stream it is of"
        yield finding(Rule.STREAM_UNSET, place, "com.coreos.stream: none", message)


def _os_release(system: System, version: str) -> Iterator[Finding]:
    place = f"{system.where}, os-release"
    for key in _KEYS:
        found = system.os_release.get(key)
        if found not in (None, version):
            message = f"the label says that the version is {version}"
            yield finding(Rule.OS_RELEASE_VERSION, place, f"{key}={found}", message)
    if _KEYS[0] not in system.os_release:
        message = "the running system does not say its version"
        yield finding(Rule.OS_RELEASE_UNSET, place, f"{_KEYS[0]}: none", message)


def _machine_os(system: System, version: str) -> Iterator[Finding]:
    words = system.labels.get(_VERSIONS, "").replace(",", " ").split()
    for word in words:
        name, _, value = word.partition("=")
        if name == "machine-os" and value != version:
            message = f"the version is {version}"
            yield finding(Rule.MACHINE_OS_LABEL, f"{system.where}, label {_VERSIONS}", word, message)


def _of_system(system: System, version: Version) -> Iterator[Finding]:
    id, stream = _expected(distribution(system), version)
    found = system.os_release.get("VERSION_ID")
    if id is not None and found != id:
        message = f"the version {version} is one of {id}"
        yield finding(Rule.VERSION_ID, f"{system.where}, os-release", f"VERSION_ID={found}", message)
    if stream is not None and system.stream not in ("", stream):
        message = f"the version {version} is one of {stream}"
        evidence = f"com.coreos.stream={system.stream}"
        yield finding(Rule.STREAM_LABEL, f"{system.where}, labels", evidence, message)


def _expected(of: Distribution | None, version: Version) -> tuple[str | None, str | None]:
    """VERSION_ID and the stream that go with a version; None for what it does not tell."""
    if isinstance(version, RhelVersion):
        major, minor = version.system
        if of is Distribution.RHEL:
            return f"{major}.{minor}", f"rhel-{major}.{minor}"
        if of is Distribution.CENTOS:
            return str(major), f"c{major}s"
    if isinstance(version, FedoraVersion) and of is Distribution.FEDORA:
        names = {number: name for name, number in FEDORA_STREAMS.items()}
        return str(version.release), names.get(version.stream)
    return None, None
