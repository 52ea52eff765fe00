"""Purity: content of OpenShift's node image must not be in the layer that bootimg makes disks of.

The installation of a cluster deploys the node image, which adds that content to this layer.  To detect
whether this has happened, openshift/installer queries rpm for openshift-clients, and assisted-installer
checks for /usr/bin/oc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from bootimg.checks.findings import Finding, finding
from bootimg.checks.ocp import (
    COMPONENTS,
    EXCEPTIONS,
    FILES,
    LABELS,
    RELEASE_EXPECTED,
    RELEASE_MARK,
    Component,
    component_of,
    matches,
)
from bootimg.checks.rules import Rule
from bootimg.checks.system import ETC, System
from bootimg.rpmdb.package import Package

_UNITS = ("usr/lib/systemd/system", *(f"{etc}/systemd/system" for etc in ETC))
_MOTD = "Part of OpenShift"
_MOTDS = (*(f"{etc}/motd" for etc in ETC), "usr/lib/motd")


class Purity(StrEnum):
    """How to treat OpenShift's content: ignore it, warn about each item, or refuse the layer."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Globs of content that is there on purpose: packages, /paths, units, labels, OPENSHIFT_VERSION."""

    globs: tuple[str, ...] = ()

    def has(self, *names: str) -> bool:
        """Whether at least one of the names is allowed."""
        return any(matches(name, self.globs) for name in names)

    def component(self, component: Component) -> bool:
        """Whether a component's package is allowed."""
        return self.has(component.package)


def purity(system: System, allow: Sequence[str] = ()) -> list[Finding]:
    """All content of OpenShift in a system, except what `allow` or the stream's exceptions name."""
    allowed = Allowed((*allow, *EXCEPTIONS.get(system.stream, ())))
    return [
        *_packages(system, allowed),
        *_files(system, allowed),
        *_units(system, allowed),
        *label_purity(system.labels, system.where, allow),
        *_os_release(system, allowed),
        *_motd(system, allowed),
    ]


def label_purity(labels: Mapping[str, str], where: str, allow: Sequence[str] = ()) -> Iterator[Finding]:
    """The labels that only a node image has."""
    allowed = Allowed(tuple(allow))
    for name, glob in LABELS.items():
        value = labels.get(name)
        if value is not None and fnmatchcase(value, glob) and not allowed.has(name):
            message = "a label of OpenShift's node image"
            yield finding(Rule.OCP_LABEL, f"{where}, label {name}", f"{name}={value}", message)


def _packages(system: System, allowed: Allowed) -> Iterator[Finding]:
    place = f"{system.where}, package database"
    if system.unreadable is not None:
        error = system.unreadable
        yield finding(Rule.PACKAGES_UNREADABLE, place, error, "its packages are not known")
    elif system.packages is None:
        yield finding(Rule.PACKAGES_MISSING, place, "none", "its packages are not known")
    for package in system.packages or ():
        if allowed.has(package.name):
            continue
        if component := component_of(package.name):
            message = f"the package {package.name} is OpenShift's ({component.package})"
            yield finding(Rule.OCP_PACKAGE, place, package.nevra, message)
        elif RELEASE_MARK in package.release and not _expected(package):
            message = f"the package {package.name} was built for OpenShift"
            yield finding(Rule.OCP_RELEASE, place, package.nevra, message)


def _expected(package: Package) -> bool:
    return any(package.name == name or package.name.startswith(f"{name}-") for name in RELEASE_EXPECTED)


def _files(system: System, allowed: Allowed) -> Iterator[Finding]:
    paths = [(path, each) for each in COMPONENTS if not allowed.component(each) for path in each.files]
    for path, component in paths:
        if system.has(path) and not allowed.has(f"/{path}"):
            message = f"a file of OpenShift's {component.package}"
            yield finding(Rule.OCP_FILE, system.where, f"/{path}", message)
    for path in FILES:
        if system.has(path) and not allowed.has(f"/{path}"):
            yield finding(Rule.OCP_FILE, system.where, f"/{path}", "a file of OpenShift's node image")


def _units(system: System, allowed: Allowed) -> Iterator[Finding]:
    for folder in _UNITS:
        for name in sorted(system.content.names(folder)):
            found = next((each for each in COMPONENTS if matches(name, each.units)), None)
            if found and not allowed.component(found) and not allowed.has(name, f"/{folder}/{name}"):
                message = f"a unit of OpenShift's {found.package}"
                yield finding(Rule.OCP_UNIT, system.where, f"/{folder}/{name}", message)


def _os_release(system: System, allowed: Allowed) -> Iterator[Finding]:
    name = "OPENSHIFT_VERSION"
    value = system.os_release.get(name)
    if value is not None and not allowed.has(name):
        message = "os-release is that of OpenShift's node image"
        yield finding(Rule.OCP_VERSION, f"{system.where}, os-release", f"{name}={value}", message)


def _motd(system: System, allowed: Allowed) -> Iterator[Finding]:
    folders = ("usr/lib/motd.d", *(f"{etc}/motd.d" for etc in ETC))
    listed = [f"{folder}/{name}" for folder in folders for name in sorted(system.content.names(folder))]
    for path in (*_MOTDS, *listed):
        lines = system.content.text(path).splitlines()
        line = next((line for line in lines if _MOTD in line), None)
        if line is not None and not allowed.has(f"/{path}"):
            message = "a message of OpenShift's node image"
            yield finding(Rule.OCP_MOTD, f"{system.where}, /{path}", line.strip(), message)
