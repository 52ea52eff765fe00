"""`bootimg verify`: whether an image, a disk or a build may ship."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.atomic import scratch_folder
from bootimg.cli.app import App
from bootimg.cli.options import arch_option, builds_option, common, registry_options
from bootimg.cli.purity import purity_options
from bootimg.cli.subject import named_build
from bootimg.cli.unpacked import plain_image
from bootimg.errors import ExitCode
from bootimg.printable import printable
from bootimg.vm.image import image_format, is_archive

if TYPE_CHECKING:
    from bootimg.checks.findings import Finding
    from bootimg.checks.purity import Purity
    from bootimg.layer.fetch import RegistryOptions


@click.command(
    epilog="""\
\b
Examples:
  bootimg verify quay.io/fedora/fedora-coreos:stable
  bootimg verify disk.qcow2.gz
  bootimg verify latest --json"""
)
@common
@click.argument("what", metavar="IMAGE|FILE|BUILD")
@purity_options
@click.option("--signed", is_flag=True, help="Every artifact of a BUILD must be signed.")
@click.option(
    "--key",
    "keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A public key (gpg --export) that may have signed; repeatable. [default: the user's keyring]",
)
@arch_option
@builds_option
@registry_options
def command(
    app: App,
    what: str,
    purity: str | None,
    allow: tuple[str, ...],
    signed: bool,
    keys: tuple[Path, ...],
    arch: Arch,
    builds: Path,
    registry: RegistryOptions,
) -> None:
    """Say what is wrong with a layer, a disk image or a build; exit with 1 if anything is.

    A path that is there is what it is: a build's folder, an image in an archive or a folder, else a disk,
    compressed or not.  A word is `latest` or the id of a build if there is one, else an image.  Warnings
    alone do not count.
    """
    from bootimg.checks.findings import errors
    from bootimg.checks.purity import Purity

    mode, path = Purity(purity or "error"), Path(what)
    if build := named_build(what, builds, arch):
        from bootimg.checks.build import build_findings
        from bootimg.checks.signaturerules import Signatures

        wanted = Signatures(signed, keys)
        kind, found = "build", build_findings(build, app.events, mode, allow, wanted)
    elif (path.is_file() and not is_archive(path)) or path.is_block_device():
        kind, found = "disk", _disk(app, path, mode, allow)
    else:
        kind, found = "image", _image(app, what, arch, registry, mode, allow)
    bad = errors(found)
    document = {
        "kind": kind,
        "subject": what,
        "good": not bad,
        "findings": [each.as_dict() for each in found],
    }
    lines = [f"{each.severity:<8} {each}" for each in found] or [f"{what}: nothing is wrong"]
    app.result(document, "\n".join(map(printable, lines)))
    if bad:
        click.get_current_context().exit(ExitCode.FAILED)


def _disk(app: App, path: Path, mode: Purity, allow: Sequence[str]) -> list[Finding]:
    from bootimg.checks.disk import disk_findings

    # In the cache, for the root filesystem is copied: /tmp may be memory.
    tmp = app.cache.folder("tmp")
    with scratch_folder(tmp, "verify-") as folder, plain_image(path, app.cache, app.events) as disk:
        return disk_findings(disk, image_format(disk), folder, mode, allow, name=path.name)


def _image(
    app: App, what: str, arch: Arch, registry: RegistryOptions, mode: Purity, allow: Sequence[str]
) -> list[Finding]:
    from bootimg.checks.image import image_findings
    from bootimg.layer.fetch import fetch
    from bootimg.layer.tree import open_tree

    image = fetch(what, arch=arch, cache=app.cache, events=app.events, registry=registry)
    return image_findings(
        image, open_tree(image, app.cache, app.events), app.cache.folder("tmp"), mode, allow
    )
