"""`bootimg sign`: detached signatures beside the artifacts of a build, and bundles of its statements."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.cli.options.common import ArchType, builds_option, common, keyrings_option
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
  bootimg sign 9.6.20261101-0 --command 'robosignatory-client --prod'
  bootimg sign latest --cosign-key cosign.key"""
)
@common
@click.argument("build", default="latest")
@click.option("--key", metavar="ID", envvar="BOOTIMG_SIGN_KEY", show_envvar=True,
              help="Sign with gpg and the secret key of this ID.")  # fmt: skip
@keyrings_option
@click.option("--command", "program", metavar="COMMAND", envvar="BOOTIMG_SIGN_COMMAND", show_envvar=True,
              help="Sign with this command: it gets a file and writes FILE.sig.")  # fmt: skip
@click.option("--cosign-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              envvar="BOOTIMG_COSIGN_KEY", show_envvar=True,
              help="Sign statements about SBOM and artifacts with this private key (PEM).")  # fmt: skip
@click.option("--cosign-password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", envvar="BOOTIMG_COSIGN_PASSWORD_FILE", show_envvar=True,
              help="The password of that key.  [default: COSIGN_PASSWORD]")  # fmt: skip
@click.option("--arch", type=ArchType(), help="Only this architecture.  [default: all it has]")
@click.option("--artifact", "artifacts", multiple=True, metavar="NAME[,NAME…]", callback=_names,
              help="Only these artifacts, by their keys in meta.json; repeatable.")  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Replace signatures that are good.")
@builds_option
def command(
    app: App,
    build: str,
    key: str | None,
    keyrings: tuple[Path, ...],
    program: str | None,
    cosign_key: Path | None,
    cosign_password_file: Path | None,
    arch: Arch | None,
    artifacts: tuple[str, ...],
    force: bool,
    builds: Path,
) -> None:
    """Write a detached signature (.sig) beside each artifact of BUILD (an id, `latest` or a path).

    With --cosign-key, write Sigstore bundles (.sigstore.json) beside its SBOM and its provenance.
    """
    from bootimg.builds.find import find_builds
    from bootimg.builds.folder import open_build
    from bootimg.builds.signing.attestations import sign_attestations
    from bootimg.builds.signing.cosignkey import read_private_key
    from bootimg.builds.signing.signatures import sign_build

    attester = read_private_key(cosign_key, cosign_password_file) if cosign_key else None
    signer = _signer(app, key, keyrings, program) if key or program or not attester else None
    signed = []
    for each in find_builds(builds, build, arch):
        with open_build(each.path.parent.parent, each.id, each.arch) as folder:
            if signer is not None:
                signed += sign_build(folder, signer, app.events, artifacts=artifacts, force=force)
            if attester is not None:
                signed += sign_attestations(folder, attester, app.events, artifacts=artifacts, force=force)
    document = [
        {"key": each.key, "signature": str(each.signature), "made": not each.cached} for each in signed
    ]
    lines = [printable(f"{'had one' if each.cached else 'signed':<8} {each.signature}") for each in signed]
    app.result({"signatures": document}, "\n".join(lines) or "nothing to sign")


def _signer(app: App, key: str | None, keyrings: tuple[Path, ...], program: str | None) -> Signer:
    from bootimg.builds.signing.gpg import Keys, fingerprints
    from bootimg.builds.signing.signatures import CommandSigner, GpgSigner

    if (key is None) == (program is None):
        raise click.UsageError("give --key or --command (not both), or --cosign-key")
    if key is not None:
        app.events.message(f"signing with the key {fingerprints(key, keyrings)[0]} of {Keys((), keyrings)}")
        return GpgSigner(key, keyrings)
    try:
        words = shlex.split(program or "")
    except ValueError as error:
        raise click.UsageError(f"--command cannot be split into words: {error}") from None
    if not words:
        raise click.UsageError("--command is empty")
    return CommandSigner(words)
