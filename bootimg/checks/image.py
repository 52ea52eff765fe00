"""All findings about an image that bootimg makes disks of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg.checks.findings import Finding, as_warnings, finding
from bootimg.checks.pivot import pivot_findings
from bootimg.checks.purity import Purity, purity
from bootimg.checks.rules import Rule
from bootimg.checks.system import System, system_of_image
from bootimg.checks.versionrules import version_findings
from bootimg.errors import BootimgError
from bootimg.layer.declared.facts import read_facts
from bootimg.layer.image.fetched import Image
from bootimg.layer.tree.merged import Tree
from bootimg.sizes import GIB


def system_findings(system: System, mode: Purity, allow: Sequence[str]) -> list[Finding]:
    """Findings about a system in an image or on a disk."""
    found = [] if mode is Purity.OFF else purity(system, allow)
    if mode is Purity.WARN:
        found = as_warnings(found)
    return [*found, *version_findings(system), *pivot_findings(system)]


def image_findings(
    image: Image, tree: Tree, folder: Path, mode: Purity = Purity.ERROR, allow: Sequence[str] = ()
) -> list[Finding]:
    """All findings about an opened image; `folder` is for a temporary copy of its package database."""
    found = system_findings(system_of_image(image, tree, folder), mode, allow)
    try:
        read_facts(image, tree)
    except BootimgError as error:
        # version_findings has reported the missing version already.
        if error.id != "layer-version-missing":
            found.append(finding(Rule.LAYER_UNBUILDABLE, "image", error, "bootimg cannot make a disk of it"))
    return found


def disk_size(image: Image, tree: Tree) -> int | None:
    """The size in bytes that image.json gives to disks; None if it gives none, or no disk can be made."""
    try:
        size = read_facts(image, tree).image_json.size
    except BootimgError:
        # `image_findings` reports it.
        return None
    return None if size is None else size * GIB
