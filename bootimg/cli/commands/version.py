"""`bootimg version`: the version of a stream's next build."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import click

from bootimg.cli.options.common import builds_option, common
from bootimg.cli.output.session import App
from bootimg.errors import BootimgError, ExitCode

_EPOCH = "SOURCE_DATE_EPOCH"


@click.group("version")
def command() -> None:
    """Print the version of a stream's next build."""


@command.command(
    "next",
    epilog="""\
\b
Examples:
  bootimg version next --stream rhel-9.6
  bootimg version next --stream testing-devel --dev --json""",
)
@common
@click.option("--stream", required=True, metavar="NAME", envvar="BOOTIMG_STREAM", show_envvar=True,
              help="The stream: rhel-9.6, c9s, 4.19-9.6, or one of Fedora's.")  # fmt: skip
@click.option("--dev", is_flag=True, help="Mark the version as a developer's.")
@click.option("--iteration", type=click.IntRange(0, 999_999_999), metavar="N",
              help="The iteration.  [default: one more than the last build's]")  # fmt: skip
@click.option("--release", type=click.IntRange(10, 99), metavar="N",
              help="Fedora's release.  [default: the last build's]")  # fmt: skip
@builds_option
def next_(app: App, stream: str, dev: bool, iteration: int | None, release: int | None, builds: Path) -> None:
    """Print the version of a stream's next build.

    The date is today's (UTC), or that of SOURCE_DATE_EPOCH.
    """
    from bootimg.builds.index import newest_id
    from bootimg.streams.versions.nextversion import next_version

    last = newest_id(builds)
    version = next_version(stream, last, _now(), dev=dev, iteration=iteration, release=release)
    document = {"stream": stream, "last": last, "version": str(version), "iteration": version.iteration}
    app.result(document, str(version))


def _now() -> datetime:
    text = os.environ.get(_EPOCH)
    if not text:
        return datetime.now(UTC)
    if re.fullmatch("[0-9]{1,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    raise BootimgError(
        "source-date-epoch-malformed",
        f"{_EPOCH} is {text[:80]!r}, which is not a time",
        hint="set it to a number of seconds since 1970, or unset it",
        exit_code=ExitCode.USAGE,
    )
