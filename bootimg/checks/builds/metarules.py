"""Rules for meta.json: coreos-assembler's schema (src/v1.json), and values that must agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bootimg.builds.find import Build
from bootimg.builds.index import read_index
from bootimg.builds.layout import META
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.errors import BootimgError
from bootimg.layer.image.fetched import VERSION_LABEL
from bootimg.targets import LAYER_KEY

LABELS = "coreos-assembler.oci-imported-labels"
_DIGEST = r"[0-9a-f]{64}"
_REQUIRED = ("buildid", "name", "ostree-commit", "ostree-timestamp", "ostree-version")
_FORMS = {
    "buildid": r".+",
    "ostree-version": r".+",
    "ostree-commit": _DIGEST,
    "ostree-content-checksum": _DIGEST,
    "ostree-timestamp": r"\d{4}-\d{2}-\d{2}T.*Z",
    "coreos-assembler.basearch": r".+",
    "coreos-assembler.build-timestamp": r".+",
    "coreos-assembler.code-source": r".+",
    "coreos-assembler.image-config-checksum": _DIGEST,
    "coreos-assembler.image-input-checksum": _DIGEST,
    "name": r".+",
    "ref": r".+",
    "summary": r".+",
}
_TYPES: Mapping[str, type] = {
    "images": dict,
    LABELS: dict,
    "coreos-assembler.container-config-git": dict,
    "coreos-assembler.image-genver": int,
    "coreos-assembler.oci-imported": bool,
    "coreos-assembler.delayed-meta-merge": bool,
    "amis": list,
    "aliyun": list,
    "ibmcloud": list,
    "powervs": list,
    "aws-winli": list,
    "azure": dict,
    "gcp": dict,
    "kubevirt": dict,
}
_OTHERS = frozenset(
    [
        "build-url",
        "s3",
        "koji",
        "oscontainer",
        "extensions",
        "base-oscontainer",
        "extensions-container",
        "release-payload",
        "pkgdiff",
        "parent-pkgdiff",
        "advisories-diff",
        "parent-advisories-diff",
        "rpm-ostree-inputhash",
        "ostree-content-bytes-written",
        "ostree-n-cache-hits",
        "ostree-n-content-total",
        "ostree-n-content-written",
        "ostree-n-metadata-total",
        "ostree-n-metadata-written",
        "fedora-coreos.parent-version",
        "fedora-coreos.parent-commit",
        "coreos-assembler.config-dirty",
        "coreos-assembler.config-gitrev",
        "coreos-assembler.config-variant",
        "coreos-assembler.container-image-git",
        "coreos-assembler.yumrepos-git",
        "coreos-assembler.meta-stamp",
        "coreos-assembler.overrides-active",
    ]
)


def meta_findings(build: Build) -> Iterator[Finding]:
    """Findings about a build's meta.json and its folder in the tree, without the artifacts."""
    meta = build.meta
    yield from _schema(meta)
    yield from _id(build)
    labels = meta.get(LABELS)
    if isinstance(labels, dict):
        yield from _labels(meta, labels)
    yield from _listed(build)


def _schema(meta: Mapping[str, Any]) -> Iterator[Finding]:
    for key in _REQUIRED:
        if key not in meta:
            yield finding(Rule.META_SCHEMA, META, f"no {key}", "the schema requires it")
    for key, form in _FORMS.items():
        value = meta.get(key)
        if key in meta and not (isinstance(value, str) and re.fullmatch(form, value)):
            yield finding(Rule.META_SCHEMA, f"{META}, {key}", repr(value), f"it must match {form}")
    for key, kind in _TYPES.items():
        # isinstance(True, int) is true.
        if key in meta and type(meta[key]) is not kind:
            message = f"its type must be {kind.__name__}"
            yield finding(Rule.META_SCHEMA, f"{META}, {key}", repr(meta[key]), message)
    if LAYER_KEY not in _dict(meta.get("images")):
        yield finding(Rule.META_SCHEMA, f"{META}, images", f"no {LAYER_KEY}", "the schema requires it")
    for key in sorted(meta.keys() - _FORMS.keys() - _TYPES.keys() - _OTHERS):
        yield finding(Rule.META_KEY, META, key, "coreos-assembler's schema refuses unknown keys")


def _id(build: Build) -> Iterator[Finding]:
    id = build.meta.get("buildid")
    ids = {
        f"{META}, ostree-version": build.meta.get("ostree-version"),
        "the folder of the build": build.path.parent.name,
    }
    for where, value in ids.items():
        if value != id:
            yield finding(Rule.BUILD_ID, where, value, f"the build's id is {id}")
    if build.path.name != build.arch:
        message = f"the build is for {build.arch}"
        yield finding(Rule.BUILD_ID, "the folder of the architecture", build.path.name, message)


def _labels(meta: Mapping[str, Any], labels: Mapping[str, Any]) -> Iterator[Finding]:
    for label, key in ((VERSION_LABEL, "ostree-version"), ("com.coreos.osname", "name")):
        if label in labels and labels[label] != meta.get(key):
            message = f"{key} is {meta.get(key)}"
            yield finding(Rule.BUILD_LABELS, f"{META}, {LABELS}", f"{label}={labels[label]}", message)


def _listed(build: Build) -> Iterator[Finding]:
    where, message = "builds.json", "programs that read the tree do not find the build"
    try:
        entries = read_index(build.path.parent.parent)["builds"]
    except BootimgError as error:
        yield finding(Rule.BUILD_UNLISTED, where, error, message)
        return
    entry = next((each for each in map(_dict, entries) if each.get("id") == build.id), None)
    if entry is None:
        yield finding(Rule.BUILD_UNLISTED, where, f"no {build.id}", message)
    elif not isinstance(entry.get("arches"), list) or build.arch.value not in entry["arches"]:
        yield finding(Rule.BUILD_UNLISTED, where, f"{build.id} without {build.arch}", message)


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
