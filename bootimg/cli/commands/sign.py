"""`bootimg sign`: detached signatures beside the artifacts of a build."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.cli.options.common import ArchType, builds_option, common
from bootimg.cli.output.session import App
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.builds.signing.signatures import Signer


def _names(ctx: click.Context, parameter: click.Parameter, value: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for words in value for name in words.split(",") if name))


@click.command(
    epilog="""\
\b
Examples:
  bootimg sign latest --key release@example.com
  bootimg sign 9.6.20261101-0 --command 'robosignatory-client --prod'"""
)
@common
@click.argument("build", default="latest")
@click.option("--key", metavar="ID", envvar="BOOTIMG_SIGN_KEY", show_envvar=True,
              help="Sign with gpg and the secret key of this ID.")  # fmt: skip
@click.option("--command", "program", metavar="COMMAND", envvar="BOOTIMG_SIGN_COMMAND", show_envvar=True,
              help="Sign with this command: it gets a file and writes FILE.sig.")  # fmt: skip
@click.option("--arch", type=ArchType(), help="Only this architecture.  [default: all it has]")
@click.option("--artifact", "artifacts", multiple=True, metavar="NAME[,NAME…]", callback=_names,
              help="Only these artifacts, by their keys in meta.json; repeatable.")  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Replace signatures that are good.")
@builds_option
def command(
    app: App,
    build: str,
    key: str | None,
    program: str | None,
    arch: Arch | None,
    artifacts: tuple[str, ...],
    force: bool,
    builds: Path,
) -> None:
    """Write a detached signature (.sig) beside each artifact of BUILD (an id, `latest` or a path)."""
    from bootimg.builds.find import find_builds
    from bootimg.builds.folder import open_build
    from bootimg.builds.signing.signatures import sign_build

    signer, signed = _signer(key, program), []
    for each in find_builds(builds, build, arch):
        with open_build(each.path.parent.parent, each.id, each.arch) as folder:
            signed += sign_build(folder, signer, app.events, artifacts=artifacts, force=force)
    document = [
        {"key": each.key, "signature": str(each.signature), "made": not each.cached} for each in signed
    ]
    lines = [printable(f"{'had one' if each.cached else 'signed':<8} {each.signature}") for each in signed]
    app.result({"signatures": document}, "\n".join(lines) or "nothing to sign")


def _signer(key: str | None, program: str | None) -> Signer:
    from bootimg.builds.signing.gpg import fingerprints
    from bootimg.builds.signing.signatures import CommandSigner, GpgSigner

    if (key is None) == (program is None):
        raise click.UsageError("give either --key or --command")
    if key is not None:
        fingerprints(key)
        return GpgSigner(key)
    try:
        words = shlex.split(program or "")
    except ValueError as error:
        raise click.UsageError(f"--command cannot be split into words: {error}") from None
    if not words:
        raise click.UsageError("--command is empty")
    return CommandSigner(words)
