"""`bootimg builds fetch` and `push`: builds from and to a bucket."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bootimg.arch import Arch
from bootimg.builds.layout import LATEST
from bootimg.cli.options.common import builds_option, common, force_option, split_names
from bootimg.cli.output.session import App
from bootimg.errors import ExitCode
from bootimg.printable import printable
from bootimg.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bootimg.builds.bucket.push import Moved, Pushed
    from bootimg.builds.bucket.s3client import Place

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _arches(ctx: click.Context, parameter: click.Parameter, value: Iterable[str]) -> tuple[Arch, ...] | None:
    """The architectures; an empty tuple for `all`, None where the option is not given."""
    names = split_names(ctx, parameter, value)
    if not names:
        return None
    return () if "all" in names else tuple(Arch.parse(name) for name in names)


def _place_options(function: Decorated) -> Decorated:
    """The options for the bucket and for parts of a build; passes `place: Place` and more."""

    @functools.wraps(function)
    def with_place(
        *args: Any,  # noqa: ANN401
        url: str,
        endpoint_url: str | None,
        no_sign_request: bool,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        from bootimg.builds.bucket.s3client import parse_place

        place = parse_place(url, endpoint=endpoint_url, unsigned=no_sign_request)
        return function(*args, place=place, **kwargs)

    decorated: Any = with_place
    for option in reversed(_PLACE):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


arches_option = click.option(
    "--arch",
    "arches",
    multiple=True,
    metavar="ARCH|all",
    callback=_arches,
    help="Only this architecture; repeatable.",
)
endpoint_option = click.option(
    "--endpoint-url",
    metavar="URL",
    envvar="BOOTIMG_S3_ENDPOINT_URL",
    show_envvar=True,
    help="URL of an S3 server.  [default: boto3's, which is Amazon's]",
)
acl_option = click.option(
    "--acl",
    metavar="ACL",
    envvar="BOOTIMG_S3_ACL",
    show_envvar=True,
    help="Canned ACL of the objects, such as public-read.  [default: none]",
)
_PLACE = (
    click.argument("url", envvar="BOOTIMG_BUILDS_URL"),
    click.option("--build", default="latest", show_default=True, help="The build's id, or latest."),
    arches_option,
    click.option("--artifact", "artifacts", multiple=True, metavar="NAME[,NAME…]", callback=split_names,
                 help="Only these artifacts, by their keys in meta.json; repeatable."),
    endpoint_option,
    click.option("--no-sign-request", is_flag=True, help="Read a public bucket without credentials."),
)  # fmt: skip


@click.command(
    "fetch",
    epilog="""\
\b
Examples:
  bootimg builds fetch s3://fcos-builds/prod/streams/stable/builds --artifact qemu
  bootimg builds fetch s3://art/prod/streams/rhel-9.6/builds --build 9.6.20261101-0 --arch all""",
)
@common
@_place_options
@click.option("--newest", type=click.IntRange(min=1), metavar="N",
              help="Fetch the N newest builds instead of one.")  # fmt: skip
@click.option("--started", is_flag=True,
              help="Fetch what there is, if only nothing, of a build that is being pushed.")  # fmt: skip
@builds_option
def fetch(
    app: App,
    place: Place,
    build: str,
    arches: tuple[Arch, ...] | None,
    artifacts: tuple[str, ...],
    newest: int | None,
    started: bool,
    builds: Path,
) -> None:
    """Fetch a build's metadata, and the artifacts named by --artifact, from the bucket at URL.

    The default of --arch is this machine's.  --artifact all fetches every file.  The variable
    BOOTIMG_BUILDS_URL can set URL.
    """
    from bootimg.builds.bucket.fetch import Wanted, fetch_build, newest_builds
    from bootimg.builds.bucket.tree import Bucket

    bucket, chosen = Bucket(place), (Arch.of_machine(),) if arches is None else arches
    if started and (build == LATEST or not chosen or newest):
        raise click.UsageError("--started needs the id of a build with --build, and an architecture")
    if newest and build != LATEST:
        raise click.UsageError("give --newest or --build, not both")
    # The newest comes last, so that the list of builds here has the bucket's order.
    names = reversed(newest_builds(bucket, newest)) if newest else [build]
    fetched = [
        each
        for name in names
        for each in fetch_build(builds, bucket, Wanted(name, chosen, artifacts, started), app.events)
    ]
    document = [
        {"id": each.id, "arch": each.arch, "path": str(each.path), "files": [*map(_moved, each.files)]}
        for each in fetched
    ]
    lines = [line for each in fetched for line in (str(each.path), *_rows(each.files, "fetched", "was here"))]
    app.result({"builds": document}, "\n".join(lines))


@click.command(
    "push",
    epilog="""\
\b
Examples:
  bootimg builds push s3://art/prod/streams/rhel-9.6/builds
  bootimg builds push s3://art/builds --artifact ostree --skip-builds-json""",
)
@common
@_place_options
@acl_option
@click.option("--skip-builds-json", is_flag=True, help="Do not list the build in the bucket's builds.json.")
@click.option("--whole", is_flag=True,
              help="List the build only if no expected artifact is missing; else exit with 4.")  # fmt: skip
@force_option
@builds_option
def push(
    app: App,
    place: Place,
    build: str,
    arches: tuple[Arch, ...] | None,
    artifacts: tuple[str, ...],
    acl: str | None,
    skip_builds_json: bool,
    whole: bool,
    force: bool,
    builds: Path,
) -> None:
    """Push a build to the bucket at URL, with all its architectures or those named by --arch.

    After an interruption the same command continues the push.  The variable BOOTIMG_BUILDS_URL can set URL.
    """
    from bootimg.builds.bucket.push import Selection, push_builds
    from bootimg.builds.bucket.tree import Bucket
    from bootimg.builds.find import find_build, find_builds

    found = [find_build(builds, build, arch) for arch in arches or ()] or find_builds(builds, build)
    chosen = Selection(artifacts=artifacts, force=force, index=not skip_builds_json, whole=whole)
    pushed = push_builds(found, Bucket(place, acl=acl), chosen, app.events)
    moved = [file for each in pushed for file in each.files]
    document = {"bucket": place.bucket, "files": [*map(_moved, moved)], "builds": [*map(_pushed, pushed)]}
    app.result(document, "\n".join(_rows(moved, "pushed", "was there")))
    lacking = [each for each in pushed if whole and each.missing]
    for each in lacking:
        text = f"{each.url} is not listed in builds.json: it lacks {', '.join(each.missing)}"
        app.events.message(printable(text), "warning")
    if lacking:
        click.get_current_context().exit(ExitCode.PARTIAL)


def _pushed(each: Pushed) -> dict[str, Any]:
    found = each.provenance
    statement = found and {"url": f"{each.url}/{found.path}", "digest": f"sha256:{found.sha256}"}
    return {
        "id": each.id,
        "arch": each.arch,
        "url": each.url,
        "listed": each.listed,
        "missing": list(each.missing),
        "provenance": statement,
    }


def _moved(each: Moved) -> dict[str, Any]:
    return {"key": each.key, "size": each.size, "moved": each.moved}


def _rows(files: Iterable[Moved], done: str, cached: str) -> list[str]:
    return [
        printable(f"  {done if each.moved else cached:<10} {format_size(each.size):>9}  {each.key}")
        for each in files
    ]
