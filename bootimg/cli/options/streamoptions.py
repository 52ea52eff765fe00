"""What the commands of `bootimg stream` share: options, time stamps, output of the result."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bootimg.cli.options.common import builds_option
from bootimg.cli.output.session import App

if TYPE_CHECKING:
    from bootimg.streams.metadata.buildmeta import Built
    from bootimg.streams.metadata.releases import Published
    from bootimg.streams.metadata.stream import Metadata

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
json_file = click.Path(path_type=Path, dir_okay=False, allow_dash=True)

name_option = click.option("--name", metavar="STREAM", help="The stream's name, such as rhel-9.6.")
output_option = click.option(
    "--output",
    type=json_file,
    default="-",
    show_default=True,
    metavar="FILE",
    help="File for the result.",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The values of the options about builds."""

    words: tuple[str, ...]
    builds: Path
    url: str | None
    published: str | None
    distro: str | None
    name: str | None
    signatures: bool

    def read(self, default_name: str | None = None) -> tuple[list[Built], Published]:
        """The builds, and where they are published; `default_name` names the stream if no option does."""
        from bootimg.streams.metadata.buildchoice import FCOS, RHCOS, published_base, read_builds, stream_name
        from bootimg.streams.metadata.download import require_http
        from bootimg.streams.metadata.releases import Published

        builds = list(read_builds(self.words, self.builds, self.url, self.name))
        known = {"fcos": FCOS, "rhcos": RHCOS}
        base = self.published or self.url or known.get(self.distro or "") or published_base(builds)
        name = stream_name(self.name, builds)
        return builds, Published(require_http(base), name, self.signatures)


_BUILDS = (
    click.argument("words", metavar="[BUILD|ARCH=BUILD]…", nargs=-1),
    builds_option,
    click.option("--url", metavar="URL", envvar="BOOTIMG_STREAM_URL", show_envvar=True,
                 help="Read the builds from URL/STREAM/builds instead of --builds."),
    click.option("--published", metavar="URL", envvar="BOOTIMG_STREAM_PUBLISHED", show_envvar=True,
                 help="Where users download the builds.  [default: --url, else the mirror of --distro]"),
    click.option("--distro", type=click.Choice(["fcos", "rhcos"]),
                 help="Distribution whose mirror is used.  [default: from the builds' names]"),
    name_option,
    click.option("--signatures/--no-signatures", default=True, show_default=True,
                 help="Whether each file has a .sig beside it."),
)  # fmt: skip


def build_options(function: Decorated) -> Decorated:
    """The options that choose builds and where they are published; passes `chosen: Chosen`."""

    @functools.wraps(function)
    def with_builds(
        *args: Any,  # noqa: ANN401
        words: tuple[str, ...],
        builds: Path,
        url: str | None,
        published: str | None,
        distro: str | None,
        name: str | None,
        signatures: bool,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        chosen = Chosen(words, builds, url, published, distro, name, signatures)
        return function(*args, chosen=chosen, **kwargs)

    decorated: Any = with_builds
    for option in reversed(_BUILDS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def metadata() -> Metadata:
    """The time now, or that of SOURCE_DATE_EPOCH, and this version of bootimg."""
    from importlib.metadata import version

    from bootimg.builds.meta import rfc3339
    from bootimg.streams.metadata.stream import Metadata

    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else datetime.now(UTC)
    return Metadata(rfc3339(moment), f"bootimg stream {version('bootimg')}")


def deliver(app: App, data: bytes, output: Path, what: str) -> None:
    """Print the bytes, or write them to a file and print its name."""
    if str(output) == "-":
        click.echo(data, nl=False)
        return
    from bootimg.atomic import write_whole

    write_whole(output, data)
    app.result({"path": str(output), "format": what, "size": len(data)}, str(output))


def printable_lines(lines: Iterable[str]) -> str:
    """The lines as one text, without control characters."""
    from bootimg.printable import printable

    return "\n".join(map(printable, lines))
