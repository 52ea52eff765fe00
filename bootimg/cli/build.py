"""`bootimg build`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.cli.app import App
from bootimg.cli.compression import compress_options
from bootimg.cli.faults import Faults, fault_options
from bootimg.cli.options import (
    accel_option,
    arch_option,
    builds_option,
    common,
    force_option,
    jobs_option,
    platform_option,
    registry_options,
    size_type,
)
from bootimg.cli.purity import purity_of, purity_options
from bootimg.cli.selection import Words, layer_of, selection_lines, selection_options
from bootimg.errors import ExitCode

if TYPE_CHECKING:
    from bootimg.build.request import Outcome
    from bootimg.layer.fetch import RegistryOptions

target_imgref_option = click.option(
    "--target-imgref",
    metavar="IMGREF",
    envvar="BOOTIMG_TARGET_IMGREF",
    show_envvar=True,
    help="Where the machines will take their updates from, as ostree writes it.",
)
size_option = click.option(
    "--size", type=size_type, envvar="BOOTIMG_SIZE", show_envvar=True, help="Virtual size of the disks."
)
builder_option = click.option(
    "--builder",
    type=click.Choice(["guestfs", "osbuild"]),
    default="guestfs",
    show_default=True,
    envvar="BOOTIMG_BUILDER",
    show_envvar=True,
    help="What makes the disks: a virtual machine, or the program osbuild (as root).",
)
"""Passes `builder: str`."""
deploy_option = click.option(
    "--deploy",
    type=click.Choice(["own", "layer"]),
    default="own",
    show_default=True,
    envvar="BOOTIMG_DEPLOY",
    show_envvar=True,
    help="Who deploys: bootimg, or the layer's own programs (slow without KVM).",
)
"""Passes `deploy: str`."""


@click.command(
    epilog="""\
\b
Examples:
  bootimg build quay.io/fedora/fedora-coreos:stable
  bootimg build layer.ociarchive -p all --compress -o builds
  bootimg build --from latest -p aws,gcp
  bootimg build --stream rhel-9.6 --streams pipecfg/config.yaml"""
)
@common
@click.argument("image", required=False)
@click.option(
    "--from",
    "source",
    metavar="BUILD",
    help="Make more artifacts of a build that exists: an id, `latest` or a path.",
)
@click.option("--retry-failed", is_flag=True, help="Make only what failed when the build was last made.")
@selection_options
@platform_option
@arch_option
@builds_option
@size_option
@target_imgref_option
@builder_option
@deploy_option
@accel_option
@force_option
@purity_options
@compress_options
@jobs_option
@fault_options
@registry_options
def command(
    app: App,
    image: str | None,
    source: str | None,
    retry_failed: bool,
    words: Words,
    arch: Arch,
    builds: Path,
    size: int | None,
    target_imgref: str | None,
    builder: str,
    deploy: str,
    force: bool,
    purity: str | None,
    allow: tuple[str, ...],
    compress: bool,
    compressor: str | None,
    jobs: int,
    faults: Faults,
    registry: RegistryOptions,
) -> None:
    """Make boot images from the layer IMAGE: whatever skopeo takes, or a path to an OCI archive or layout.

    With --stream, IMAGE may be left out.
    """
    from bootimg.build.again import request_again
    from bootimg.build.build import run_build
    from bootimg.build.request import Builder, Request
    from bootimg.build.until import stopped_text
    from bootimg.builds.find import find_build
    from bootimg.disk.layer_deploy import DeployWay
    from bootimg.formats import Compressor

    if image is not None and source is not None:
        raise click.UsageError("name either an IMAGE or a build with --from")
    chosen = words.choose(arch, lambda text: app.events.message(text, "warning"))
    before = find_build(builds, source, arch) if source is not None else None
    level, allowed = purity_of(purity, allow, chosen, before)
    request = Request(
        reference="" if before is not None else layer_of(image, chosen, words),
        arch=arch,
        platforms=chosen.platforms,
        builds=builds,
        registry=registry,
        target_imgref=target_imgref,
        size=size,
        accelerator=app.accel,
        force=force,
        until=faults.until,
        keep=faults.keep,
        on_failure=faults.on_failure,
        builder=Builder(builder),
        deploy=DeployWay(deploy),
        compress=compress or compressor is not None or chosen.compress,
        compressor=Compressor(compressor) if compressor else chosen.compressor,
        jobs=jobs,
        retry_failed=retry_failed,
        selection=chosen.selection,
        purity=level,
        allow=allowed,
    )
    if before is not None:
        request = request_again(before, request)
    outcome = run_build(request, app.cache, app.events)
    text = stopped_text if outcome.stopped_after else artifact_table
    app.result(outcome.as_dict(), text(outcome))
    if outcome.failures:
        click.get_current_context().exit(ExitCode.PARTIAL)


def artifact_table(outcome: Outcome) -> str:
    """The artifacts a person can act on: file, size, digest, time; and what to do next."""
    from bootimg.sizes import format_size

    rows = [("FILE", "SIZE", "SHA256", "TIME")]
    for artifact in (*outcome.artifacts, *([outcome.sbom] if outcome.sbom else [])):
        took = "kept" if artifact.cached else f"{artifact.seconds:.1f} s"
        rows.append((artifact.path.name, format_size(artifact.size), artifact.sha256[:16], took))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    failed = [f"failed: {name}: {error}" for name, error in outcome.failures.items()]
    if failed:
        lines += ["", *failed, "the same command with --retry-failed makes only these"]
    lines += selection_lines(outcome.selection)
    following = f"next: bootimg run -o {outcome.path.parent.parent}"
    return "\n".join([*lines, "", f"in {outcome.path}", following])
