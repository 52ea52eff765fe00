"""`bootimg verify`: whether an image, a disk, a live ISO or a build may ship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg import defaults
from bootimg.arch import Arch
from bootimg.cli.options.common import (
    accel_option,
    arch_option,
    builds_option,
    common,
    jobs_option,
    keyrings_option,
    limit_option,
    registry_options,
)
from bootimg.cli.options.purity import purity_options
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import ExitCode
from bootimg.printable import printable
from bootimg.untrusted.limits import Limits

if TYPE_CHECKING:
    from bootimg.checks.findings import Finding
    from bootimg.checks.node import NodeOnBase
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.orchestrator.remaking.compare import Remade


@click.command(
    epilog="""\
\b
Examples:
  bootimg verify quay.io/fedora/fedora-coreos:stable
  bootimg verify disk.qcow2.gz
  bootimg verify live.iso
  bootimg verify latest --rebuild --json
  bootimg verify quay.io/example/node:4.20 --base latest"""
)
@common
@click.argument("what", metavar="IMAGE|FILE|BUILD")
@purity_options
@click.option(
    "--deep", is_flag=True, help="Open and check the layer, the disks and the live media of a BUILD."
)
@click.option(
    "--rebuild", is_flag=True, help="Make the images of a BUILD again from its archive, and compare them."
)
@click.option(
    "--base",
    metavar="BUILD|IMAGE",
    help="Check that the node image IMAGE is built on exactly this layer, and can be pivoted to.",
)
@click.option("--signed", is_flag=True, help="Every artifact of a BUILD must be signed.")
@click.option(
    "--key",
    "keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A file with public keys that may have signed (gpg --export); repeatable.",
)
@click.option(
    "--cosign-key",
    "cosign_keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A trusted public key (PEM) for the bundles of SBOM and provenance; repeatable.",
)
@keyrings_option
@arch_option
@accel_option
@builds_option
@jobs_option
@registry_options
@limit_option
def command(
    app: App,
    what: str,
    purity: str | None,
    allow: tuple[str, ...],
    deep: bool,
    rebuild: bool,
    base: str | None,
    signed: bool,
    keys: tuple[Path, ...],
    cosign_keys: tuple[Path, ...],
    keyrings: tuple[Path, ...],
    arch: Arch,
    builds: Path,
    jobs: int,
    registry: RegistryOptions,
    limits: Limits,
) -> None:
    """List what is wrong with a layer, a disk, a live ISO or a build; exit with 1 if there is an error.

    An existing path is checked: a build's folder, an image in an archive or a folder, else a disk or an ISO;
    archives, disks and ISOs may be compressed.  Another argument is `latest` or the id of an existing build,
    else the reference of an image.  Warnings alone do not count.
    """
    from bootimg.api.looking import verify

    found = verify(
        what,
        arch=arch,
        builds=builds,
        purity=purity or defaults.PURITY,
        allow=allow,
        deep=deep,
        rebuild=rebuild,
        base=base,
        accelerator=app.accel,
        signed=signed,
        keys=keys,
        cosign_keys=cosign_keys,
        keyrings=keyrings,
        jobs=jobs,
        registry=registry,
        limits=limits,
        cache=app.idle_cache.root,
        events=app.events,
    )
    lines = finding_lines(found.findings, app.width) or [printable(f"{what}: nothing is wrong")]
    lines += [printable(f"not opened, because it is an archive: {key}") for key in found.not_opened or ()]
    lines += node_lines(found.node) if found.node else []
    lines += [printable(f"signatures were checked with the keys in {found.trusted}")] if found.trusted else []
    lines += [f"made again, {_equal(each)}: {each.key} ({each.compared})" for each in found.rebuilt or ()]
    app.result(found.as_dict(), "\n".join(lines))
    if not found.good:
        click.get_current_context().exit(ExitCode.FAILED)


def node_lines(node: NodeOnBase) -> list[str]:
    """What a node image shares with its base and adds, as lines for people."""
    from bootimg.sizes import format_size

    parts = ("added", "changed", "removed")
    counts = ", ".join(f"{len(node.packages.get(part, {}))} {part}" for part in parts)
    free = "unknown" if node.disk_free is None else format_size(node.disk_free)
    return [
        f"base: {node.base}",
        f"layers: {node.layers_shared} of the base, {node.layers - node.layers_shared} more",
        f"packages: {counts}",
        f"size: {format_size(node.size)}, {format_size(node.size_added)} of it more than the base",
        f"space: {free} on a disk of the base, {format_size(node.live_space)} in a live system",
    ]


def _equal(artifact: Remade) -> str:
    return "equal" if artifact.difference is None else "different"


def finding_lines(found: Sequence[Finding], width: int | None) -> list[str]:
    """Findings as lines for people, and the count of each severity."""
    if not found:
        return []
    rows = [
        (str(each.severity), each.rule.value, each.where, f"{each.evidence}: {each.message}")
        for each in found
    ]
    counts = Counter(severity for severity, *_ in rows)
    words = [f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(counts.items())]
    return [*table(rows, width=width), "", ", ".join(words)]
