"""`bootimg rpmdb`: the packages of images, and the differences between them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bootimg.api.argument import named_build
from bootimg.arch import Arch
from bootimg.cli.options.common import (
    Decorated,
    arch_option,
    builds_option,
    common,
    folder_type,
    limit_option,
    registry_options,
)
from bootimg.cli.output.session import App
from bootimg.printable import printable
from bootimg.targets import LAYER_KEY
from bootimg.untrusted.limits import Limits

if TYPE_CHECKING:
    from bootimg.builds.find import Build
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.rpmdb.ofimage import PackageSource
    from bootimg.rpmdb.package import Package

_full_option = click.option(
    "--full", is_flag=True, help="Every package, with its architecture; oc shows only one for each name."
)
lists_option = click.option(
    "--rpmdb-cache",
    "lists",
    type=folder_type,
    metavar="DIR",
    envvar="BOOTIMG_RPMDB_CACHE",
    show_envvar=True,
    help="Keep package lists of images in this folder, as oc does.",
)


def _images(function: Decorated) -> Decorated:
    """The options of all commands that read images; passes `fetched: _Fetched`."""

    @functools.wraps(function)
    def with_images(
        *args: Any,  # noqa: ANN401
        app: App,
        arch: Arch,
        builds: Path,
        registry: RegistryOptions,
        limits: Limits,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        return function(*args, app=app, fetched=_Fetched(app, arch, builds, registry, limits), **kwargs)

    decorated: Any = with_images
    for option in (limit_option, registry_options, builds_option, arch_option, common):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


class _Fetched:
    """Fetches images; an argument may also name a build, whose image is the archive in it."""

    def __init__(self, app: App, arch: Arch, builds: Path, registry: RegistryOptions, limits: Limits) -> None:
        self._app, self._arch, self._builds, self._registry = app, arch, builds, registry
        self._limits = limits

    def source(self, lists: Path | None = None) -> PackageSource:
        from bootimg.rpmdb.listcache import ListCache
        from bootimg.rpmdb.ofimage import PackageSource

        return PackageSource(
            arch=self._arch,
            cache=self._app.cache,
            events=self._app.events,
            registry=self._registry,
            limits=self._limits,
            lists=ListCache(lists) if lists else None,
        )

    def build(self, what: str) -> Build | None:
        return named_build(what, self._builds, self._arch)

    def reference(self, what: str) -> str:
        build = self.build(what)
        return f"oci-archive:{build.artifact(LAYER_KEY)}" if build else what


@click.group("rpmdb")
def command() -> None:
    """List and compare the packages of images."""


@command.command(
    "list",
    epilog="""\
\b
Examples:
  bootimg rpmdb list quay.io/fedora/fedora-coreos:stable
  bootimg rpmdb list latest --full --json""",
)
@_images
@click.argument("image", metavar="IMAGE|BUILD")
@_full_option
@lists_option
def list_(app: App, fetched: _Fetched, image: str, full: bool, lists: Path | None) -> None:
    """List the packages of an image."""
    from bootimg.rpmdb.lists import all_versions, in_order, versions

    packages = fetched.source(lists).packages(fetched.reference(image))
    document = all_versions(packages) if full else versions(packages)
    lines = (f"{each.name}-{each.evra}" for each in in_order(packages)) if full else _lines(packages)
    app.result(document, "\n".join(map(printable, lines)))


@command.command(
    "diff",
    epilog="""\
\b
Examples:
  bootimg rpmdb diff quay.io/fedora/fedora-coreos:stable quay.io/fedora/fedora-coreos:testing
  bootimg rpmdb diff 9.6.20261101-0 latest --json""",
)
@_images
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@_full_option
@lists_option
def diff(app: App, fetched: _Fetched, old: str, new: str, full: bool, lists: Path | None) -> None:
    """Show how the packages of the image or build NEW differ from those of OLD."""
    from bootimg.rpmdb.lists import all_versions, difference, versions

    source = fetched.source(lists)
    one, other = (source.packages(fetched.reference(each)) for each in (old, new))
    form = all_versions if full else versions
    document = difference(form(one), form(other))
    app.result(document, "\n".join(map(printable, _changes(document, one, other))) or "no difference")


@command.command(
    "sbom",
    epilog="""\
\b
Examples:
  bootimg rpmdb sbom latest > sbom.spdx.json
  bootimg rpmdb sbom latest --format cyclonedx > sbom.cdx.json""",
)
@_images
@click.argument("image", metavar="IMAGE|BUILD")
@click.option(
    "--format",
    "form",
    type=click.Choice(["spdx", "cyclonedx"]),
    default="spdx",
    show_default=True,
    help="SPDX 2.3 or CycloneDX 1.6.",
)
def sbom(app: App, fetched: _Fetched, image: str, form: str) -> None:
    """Print an SBOM of an image and its packages, always as JSON.

    If a BUILD has its own SPDX document, that file is printed, byte for byte.
    """
    from bootimg.layer.declared.osrelease import os_release
    from bootimg.rpmdb.cyclonedx import cyclonedx
    from bootimg.rpmdb.spdx import dump_sbom
    from bootimg.rpmdb.spdx import sbom as spdx

    build = fetched.build(image)
    data = _kept_sbom(build) if build and form == "spdx" else None
    if data is None:
        described = cyclonedx if form == "cyclonedx" else spdx
        found, tree, packages = fetched.source().tree(fetched.reference(image))
        os_id = os_release(tree).get("ID", "")
        data = dump_sbom(described(found, packages, os_id, located=build is None))
    click.echo(data.decode(errors="replace"), nl=False)


def _kept_sbom(build: Build) -> bytes | None:
    from bootimg.builds.companions import companion, companion_file
    from bootimg.targets import SBOM_KEY

    kept = companion(build.path, SBOM_KEY)
    if kept is None or not (build.path / kept.path).exists():
        return None
    return companion_file(build, kept).read_bytes()


def _lines(packages: Iterable[Package]) -> Iterator[str]:
    from bootimg.rpmdb.lists import versions

    return (f"{name}-{evr}" for name, evr in versions(packages).items())


def _changes(
    document: Mapping[str, Mapping[str, Any]], old: Iterable[Package], new: Iterable[Package]
) -> Iterator[str]:
    """The difference as lines: a change is newer or older, as far as RPM's rules can tell."""
    from bootimg.rpmdb.evr import direction

    newest = [{each.name: each for each in packages} for packages in (old, new)]
    width = max((len(name) for part in document.values() for name in part), default=0)
    for name, change in document.get("changed", {}).items():
        mark = direction(newest[0][name], newest[1][name])
        yield f"{mark:<10} {name:<{width}}  {_words(change['old'])} → {_words(change['new'])}"
    for kind in ("added", "removed"):
        yield from (
            f"{kind:<10} {name:<{width}}  {_words(what)}" for name, what in document.get(kind, {}).items()
        )


def _words(what: str | list[str]) -> str:
    return what if isinstance(what, str) else ", ".join(what)
