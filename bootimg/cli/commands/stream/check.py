"""`bootimg stream lint` and `diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.cli.options.common import common
from bootimg.cli.options.streamoptions import json_file, name_option, printable_lines
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import ExitCode
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.platform import Platform
    from bootimg.streams.metadata.sources import BuildSource


@click.command(
    epilog="""\
\b
Examples:
  bootimg stream lint coreos-rhel-9.json --name rhel-9.6
  git show HEAD:coreos-rhel-9.json | bootimg stream lint coreos-rhel-9.json --previous -"""
)
@common
@click.argument("file", type=json_file)
@click.option(
    "--previous", type=json_file, metavar="FILE", help="An older version of the file: nothing may be lost."
)
@name_option
@click.option("-p", "--platform", "platforms", multiple=True, metavar="NAME[,NAME…]|all",
              help="Platforms that the file must have, for their architectures; repeatable.")  # fmt: skip
@click.option("--allow-mixed", is_flag=True, help="Allow images of several releases.")
@click.option("--signatures", is_flag=True, help="Require a signature for every file, like coreos-installer.")
@click.option("--published", metavar="URL", help="Require every location to be in URL/STREAM/builds/.")
@click.option("-o", "--builds", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Compare digests with the builds in this tree.")  # fmt: skip
@click.option("--url", metavar="URL", help="Compare digests with the builds in URL/STREAM/builds.")
@click.option("--download", is_flag=True, help="Read every file and compare its size and digest.")
@click.option("--strict", is_flag=True, help="Treat notes (forms that only older files have) as errors.")
def lint(
    app: App,
    file: Path,
    previous: Path | None,
    name: str | None,
    platforms: tuple[str, ...],
    allow_mixed: bool,
    signatures: bool,
    published: str | None,
    builds: Path | None,
    url: str | None,
    download: bool,
    strict: bool,
) -> None:
    """List what is wrong with a stream's file; exit with 1 if there is an error.

    Warnings and notes alone do not count.
    """
    from bootimg.streams.lint.check import lint as findings_of
    from bootimg.streams.lint.findings import Against, Level
    from bootimg.streams.metadata.download import require_http
    from bootimg.streams.metadata.stream import read_stream

    stream = read_stream(file, lambda text: app.events.message(text, "warning"))
    against = Against(
        previous=read_stream(previous) if previous else None,
        name=name,
        expected=_platforms(platforms),
        base=require_http(published) if published else None,
        builds=_source(builds, url, name or stream.stream),
        signatures=signatures,
        mixed=allow_mixed,
        download=download,
        strict=strict,
    )
    found = findings_of(stream, against, lambda text: app.events.message(f"reading {text}"))
    bad = [each for each in found if each.level is Level.ERROR]
    lines = table([(str(each.level), each.rule, each.place, each.message) for each in found], width=app.width)
    document = {"path": str(file), "good": not bad, "findings": [each.as_dict() for each in found]}
    app.result(document, "\n".join(lines) or printable(f"{file}: nothing is wrong"))
    if bad:
        click.get_current_context().exit(ExitCode.FAILED)


def _platforms(words: tuple[str, ...]) -> list[Platform]:
    """The platforms of any architecture; raises `platform-unknown`."""
    from bootimg.platform import platform, platforms

    names = [name for word in words for name in word.split(",") if name]
    known = platforms()
    if "all" in names:
        return [*known.values()]
    arches = [next(iter(known[name].arches)) if name in known else Arch.of_machine() for name in names]
    return [platform(name, arch) for name, arch in zip(names, arches, strict=True)]


def _source(builds: Path | None, url: str | None, name: str) -> BuildSource | None:
    from bootimg.streams.metadata.buildchoice import stream_name
    from bootimg.streams.metadata.download import require_http
    from bootimg.streams.metadata.sources import LocalBuilds, RemoteBuilds

    if url is not None:
        return RemoteBuilds(require_http(url), stream_name(name, []))
    return LocalBuilds(builds) if builds is not None else None


@click.command(
    epilog="""\
\b
Examples:
  bootimg stream diff old.json new.json
  git show HEAD:coreos-rhel-9.json | bootimg stream diff - coreos-rhel-9.json --json"""
)
@common
@click.argument("old", type=json_file)
@click.argument("new", type=json_file)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there is a difference, as git diff does.")
def diff(app: App, old: Path, new: Path, exit_code: bool) -> None:
    """Show the differences between two streams' files."""
    from bootimg.streams.metadata.stream import read_stream
    from bootimg.streams.metadata.streamdiff import as_document, as_lines, difference

    found = difference(read_stream(old), read_stream(new))
    app.result(as_document(found), printable_lines(as_lines(found)))
    if exit_code and found:
        click.get_current_context().exit(ExitCode.FAILED)
