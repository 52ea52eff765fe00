"""Rules for a node image on its base: it is built on exactly this layer, and boot images can pivot to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bootimg.checks.findings import Finding, finding
from bootimg.checks.node import NodeOnBase, OpenedImage
from bootimg.checks.ocp import FILES
from bootimg.checks.rules import Rule
from bootimg.checks.system import System
from bootimg.layer.image.fetched import VERSION_LABEL, parse_document
from bootimg.rpmdb.package import Package
from bootimg.sizes import format_size

_LABELS = (VERSION_LABEL, "com.coreos.stream", "com.coreos.osname", "com.coreos.inputhash")
_BASE_DIGEST = "org.opencontainers.image.base.digest"
_METALAYER = "io.openshift.metalayer"
_LIST = FILES[1]
_CLIENTS, _OC = "openshift-clients", "usr/bin/oc"
_MOST = 10
_IDENTITY = (Rule.NODE_LABEL, Rule.NODE_LAYERS, Rule.NODE_PACKAGE)
_NODE = "node image"


def node_findings(node: OpenedImage, base: OpenedImage, facts: NodeOnBase) -> Iterator[Finding]:
    """Findings about a node image and its base, except those about the base itself."""
    yield from _labels(node.system, base.system)
    yield from _base_digest(node, base)
    yield from _layers(node, base, facts)
    yield from _packages(node.system, base.system)
    yield from _content(node)
    yield from _space(facts)


def system_base_findings(node: System, base: System) -> Iterator[Finding]:
    """Findings about a node image and a disk or a live system, whose layers are not known."""
    yield from _labels(node, base)
    yield from _packages(node, base)


def of_another_base(findings: Iterable[Finding]) -> list[Finding]:
    """The findings which say that a node image is built on another base."""
    return [each for each in findings if each.rule in _IDENTITY]


def of_base(findings: Sequence[Finding]) -> list[Finding]:
    """Findings about the base alone, told apart from those about the node image."""
    return [replace(each, where=f"base: {each.where}") for each in findings]


def _labels(node: System, base: System) -> Iterator[Finding]:
    for name in _LABELS:
        wanted, found = base.labels.get(name), node.labels.get(name)
        if wanted is not None and found != wanted:
            yield finding(Rule.NODE_LABEL, f"{_NODE}, label {name}", found, f"the base has {wanted}")


def _base_digest(node: OpenedImage, base: OpenedImage) -> Iterator[Finding]:
    annotations = parse_document(node.image.manifest, "manifest").at("annotations").value
    named = annotations.get(_BASE_DIGEST) if isinstance(annotations, dict) else None
    named = named or node.image.labels.get(_BASE_DIGEST)
    if named is not None and named != base.image.digest:
        message = f"the base is {base.image.digest}; it can also be the digest of the list that names it"
        yield finding(Rule.NODE_BASE_DIGEST, f"{_NODE}, {_BASE_DIGEST}", named, message)


def _layers(node: OpenedImage, base: OpenedImage, facts: NodeOnBase) -> Iterator[Finding]:
    wanted = len(base.image.layers)
    if facts.layers_shared < wanted:
        evidence = f"{facts.layers_shared} of the base's {wanted} layers"
        yield finding(Rule.NODE_LAYERS, _NODE, evidence, "it is built on another layer, or was squashed")
    elif facts.layers == wanted:
        yield finding(Rule.NODE_METADATA, _NODE, "no layer of its own", "it is the base itself")


def _packages(node: System, base: System) -> Iterator[Finding]:
    """Packages of the base that the node image does not have in the same version."""
    for where, system in ((_NODE, node), ("base", base)):
        if system.unreadable is not None:
            yield finding(Rule.PACKAGES_UNREADABLE, where, system.unreadable, "its packages are not known")
        elif system.packages is None:
            yield finding(Rule.PACKAGES_MISSING, where, "none", "its packages are not known")
    if node.packages is None or base.packages is None:
        return
    there = {_identity(each) for each in node.packages}
    gone = [each for each in base.packages if not each.is_key and _identity(each) not in there]
    now = {each.name: each for each in node.packages}
    for package in gone[:_MOST]:
        found = now.get(package.name)
        evidence = found.nevra if found else f"no {package.name}"
        yield finding(Rule.NODE_PACKAGE, f"{_NODE}, package {package.name}", evidence,
                      f"the base has {package.nevra}")  # fmt: skip
    if len(gone) > _MOST:
        more = f"{len(gone) - _MOST} packages more"
        yield finding(Rule.NODE_PACKAGE, _NODE, more, "the base has them in other versions")


def _identity(package: Package) -> tuple[str, str]:
    return package.name, package.evra


def _content(node: OpenedImage) -> Iterator[Finding]:
    """What the installer looks for in a node image, and where oc finds its list of packages."""
    if not node.system.has(_OC):
        message = "assisted-installer waits for it after the pivot"
        yield finding(Rule.NODE_OC, _NODE, f"no /{_OC}", message)
    if node.system.packages is not None and all(each.name != _CLIENTS for each in node.system.packages):
        message = "the installer's generator asks rpm for it, and pivots again without it"
        yield finding(Rule.NODE_OC, _NODE, f"no package {_CLIENTS}", message)
    if node.image.labels.get(_METALAYER) != "true":
        message = f"{_METALAYER}={node.image.labels.get(_METALAYER)}"
        yield finding(Rule.NODE_METADATA, f"{_NODE}, label {_METALAYER}", message, "a node image has true")
    if not any(each.path == _LIST for each in node.tree.layers[-1].entries):
        message = "oc reads the list of packages from there"
        yield finding(Rule.NODE_METADATA, _NODE, f"no /{_LIST} in the last layer", message)


def _space(facts: NodeOnBase) -> Iterator[Finding]:
    size = format_size(facts.size)
    if facts.disk_free is not None and facts.disk_free < facts.size:
        message = f"the node image takes {size}: make the disks larger with --size or image.json"
        evidence = f"{format_size(facts.disk_free)} free on a disk of the base"
        yield finding(Rule.NODE_DISK_SPACE, "base", evidence, message)
    if facts.live_space < facts.size:
        evidence = f"{format_size(facts.live_space)} in a live system's /var/ostreecontainer"
        yield finding(Rule.NODE_LIVE_SPACE, _NODE, evidence, f"the node image takes {size}")
