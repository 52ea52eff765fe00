"""`bootimg retire`: the cloud images of old builds, deleted by a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bootimg import defaults
from bootimg.arch import Arch
from bootimg.cli.commands.bucketcommands import endpoint_option
from bootimg.cli.options.cloudoptions import account_option, report_lines, retry_option, set_option
from bootimg.cli.options.common import ArchType, builds_option, common, dry_run_option, split_names
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.builds.bucket.tree import Bucket
    from bootimg.orchestrator.retiring.request import Retired
    from bootimg.streams.pipeline.section import Section

_FILE = click.Path(path_type=Path)


@click.command(
    epilog="""\
\b
Examples:
  bootimg retire --policy gc-policy.yaml --stream-file coreos-rhel-9.json
  bootimg retire 9.6.20241101-0 --stream-file coreos-rhel-9.json --yes"""
)
@common
@click.argument("ids", nargs=-1, metavar="[BUILD]…")
@click.option("--policy", type=_FILE, metavar="FILE", help="The retention policy, a YAML file.")
@click.option("--stream-file", "stream_files", type=_FILE, multiple=True, metavar="FILE",
              help="A stream's JSON file, whose images stay; repeatable.")  # fmt: skip
@click.option("--no-stream-file", is_flag=True, help="Delete although no stream's file is named.")
@click.option("--barriers", type=_FILE, multiple=True, metavar="FILE",
              help="An update graph or release index, whose barriers stay; repeatable.")  # fmt: skip
@click.option("--stream", metavar="NAME", envvar="BOOTIMG_STREAM", show_envvar=True,
              help="Only builds of this stream, and those that name none.")  # fmt: skip
@click.option("--streams", type=_FILE, metavar="FILE", envvar="BOOTIMG_STREAMS", show_envvar=True,
              show_default="config.yaml if it exists",
              help="The pipeline's file with the settings of the clouds.")  # fmt: skip
@click.option("-p", "--platform", "platforms", multiple=True, metavar="NAME[,NAME…]", callback=split_names,
              help="Only images of these platforms; repeatable.")  # fmt: skip
@click.option("--arch", type=ArchType(), help="Only images of this architecture.")
@builds_option
@account_option
@set_option
@retry_option
@click.option("--push", "url", metavar="s3://…", help="Mark builds.json in this bucket too.")
@endpoint_option
@click.option("--yes", is_flag=True, help="Delete.  [default: show what would be deleted]")
@dry_run_option
def command(
    app: App,
    ids: tuple[str, ...],
    policy: Path | None,
    stream_files: tuple[Path, ...],
    no_stream_file: bool,
    barriers: tuple[Path, ...],
    stream: str | None,
    streams: Path | None,
    platforms: tuple[str, ...],
    arch: Arch | None,
    builds: Path,
    account: str | None,
    settings: Mapping[str, Any],
    retry_for: int,
    url: str | None,
    endpoint_url: str | None,
    yes: bool,
    dry_run: bool,
) -> None:
    """Delete the cloud images of old builds, or of each BUILD (an id), and record it in builds.json.

    Without --yes it shows what would be deleted.  Builds with a tag stay, and so do barriers and builds
    that a stream's file names.
    """
    from bootimg.orchestrator.retiring.request import RetireRequest
    from bootimg.orchestrator.retiring.run import retire

    if not (ids or policy):
        raise click.UsageError("name a retention policy with --policy, or builds")
    if yes and dry_run:
        raise click.UsageError("--yes and --dry-run exclude each other")
    if yes and not (stream_files or no_stream_file):
        raise _no_streams()
    request = RetireRequest(
        builds=builds, ids=ids, policy=policy, stream=stream, stream_files=stream_files, barriers=barriers,
        config=_config(streams), account=account, overrides=settings, platforms=platforms, arch=arch,
        bucket=_bucket(url, endpoint_url), delete=yes, retry_for=float(retry_for),
    )  # fmt: skip
    found = retire(request, app.cache, app.events)
    document = {"dry-run": not yes, "builds": [each.as_dict() for each in found]}
    app.result(document, "\n".join(_lines(found, yes, app.width)) or "no builds")
    if not all(each.whole for each in found):
        click.get_current_context().exit(ExitCode.PARTIAL)


def _no_streams() -> BootimgError:
    return BootimgError(
        "retire-stream-files-missing",
        "no stream's file says which images are in use",
        hint="name each stream's file with --stream-file; if there is none, say so with --no-stream-file",
        exit_code=ExitCode.USAGE,
    )


def _config(path: Path | None) -> Section | None:
    from bootimg.streams.pipeline.config import read_streams_file

    default = Path(defaults.STREAMS)
    if path is None and not default.exists():
        return None
    return read_streams_file(path or default)


def _bucket(url: str | None, endpoint: str | None) -> Bucket | None:
    if url is None:
        return None
    from bootimg.builds.bucket.s3client import parse_place
    from bootimg.builds.bucket.tree import Bucket

    return Bucket(parse_place(url, endpoint=endpoint))


def _lines(found: Sequence[Retired], delete: bool, width: int | None) -> Iterator[str]:
    rows = [(each.verdict.id, each.verdict.stream, each.state, _words(each)) for each in found]
    yield from table(rows, width=width)
    for each in found:
        if each.error is not None:
            details = (*each.error.context, each.error.hint or "")
            yield from (printable(f"{each.verdict.id}: {line}") for line in details if line)
        for report in each.reports:
            yield from report_lines(report, not delete, width)
    if not delete and any(each.verdict.actions for each in found):
        yield "nothing was deleted; --yes deletes"


def _words(result: Retired) -> str:
    if result.error is not None:
        return f"{result.error.id}: {result.error.message}"
    words = result.verdict.reason or ", ".join(result.verdict.actions)
    return f"{words}; {result.left}" if result.left else words
