"""`bootimg pull`: a disk image from a registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.cli.options.common import (
    arch_option,
    common,
    duration_type,
    limit_option,
    registry_options,
    size_type,
)
from bootimg.cli.output.session import App
from bootimg.untrusted.limits import Limits

if TYPE_CHECKING:
    from bootimg.layer.fetching.fetch import RegistryOptions


@click.command(
    epilog="""\
\b
Examples:
  bootimg pull quay.io/example/disks:stable -p qemu
  bootimg pull quay.io/example/disks:9.6.20261101-0 -p metal --arch aarch64 --output images"""
)
@common
@click.argument("reference")
@click.option("-p", "--platform", metavar="NAME", help="The platform.  [default: the only one there is]")
@arch_option
@click.option("--output", type=click.Path(path_type=Path), metavar="PATH",
              help="The file, or the folder for it.  [default: its own name, here]")  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Replace an existing file.")
@click.option("--disk-only", is_flag=True, help="Get neither its SBOM nor its signature.")
@click.option("--max-size", type=size_type, default="64G", show_default=True, metavar="SIZE",
              help="Refuse a disk that is larger, compressed or not.")  # fmt: skip
@click.option("--retry-for", type=duration_type, default="10m", show_default=True, metavar="TIME",
              help="How long a call that fails is repeated.")  # fmt: skip
@registry_options
@limit_option
def command(
    app: App,
    reference: str,
    platform: str | None,
    arch: Arch,
    output: Path | None,
    force: bool,
    disk_only: bool,
    max_size: int,
    retry_for: int,
    registry: RegistryOptions,
    limits: Limits,
) -> None:
    """Get a disk image from a registry, where `upload --registry disks` has put it.

    The file appears when its digest, and that of the uncompressed disk, are right.  Its SBOM and signature
    are put beside it.  An interrupted pull continues.
    """
    from bootimg.cloud.registries.diskartifact import Choice
    from bootimg.cloud.registries.pulling import Pulling
    from bootimg.cloud.retry import Retry

    choice = Choice(arch, platform, max_size, limits)
    pulling = Pulling(reference, choice, registry, Retry(budget=float(retry_for), events=app.events))
    found = pulling.pull(pulling.find(), output, force=force, beside=not disk_only)
    disk = found.disk
    document = {
        "reference": reference, "digest": disk.manifest, "file": str(found.file), "size": disk.size,
        "sha256": disk.digest.partition(":")[2],
        "uncompressed-sha256": disk.plain_digest.partition(":")[2] or None,
        "uncompressed-size": disk.plain_size, "arch": str(arch), **disk.facts,
        "state": _state(not found.cached),
        "beside": [{"file": str(each.path), "sha256": each.blob.digest.partition(":")[2],
                    "state": _state(each.path in found.written)} for each in found.beside],
    }  # fmt: skip
    lines = [(found.file, disk.digest, not found.cached)]
    lines += [(each.path, each.blob.digest, each.path in found.written) for each in found.beside]
    app.result(
        document, "\n".join(f"{path}  {digest}{'' if new else '  was there'}" for path, digest, new in lines)
    )


def _state(new: bool) -> str:
    return "done" if new else "was there"
