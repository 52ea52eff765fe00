"""The pages and files of the site."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bootimg.browse.clouds import clouds
from bootimg.browse.data import diff_data, status
from bootimg.browse.links import DIFF, INDEX, SUMS, arch_file, build_page, href
from bootimg.browse.render import render
from bootimg.browse.site import Site
from bootimg.browse.streams import StreamState
from bootimg.browse.tree import ArchBuild, ListedBuild
from bootimg.streams.metadata.inventory import Place
from bootimg.streams.metadata.releasebrowser import diff_query

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def pages(site: Site) -> Iterator[tuple[str, bytes]]:
    """Every file by its path in the site."""
    streams = stream_pages(site)
    yield INDEX, _page(site, INDEX, "index.html", streams=streams, scripts=("filter.js",))
    yield DIFF, _page(site, DIFF, "diff.html", data=diff_data(site), scripts=("diff.js",))
    for path, stream in streams.items():
        yield path, _page(site, path, "stream.html", state=stream, formats=_formats)
    for build in site.builds:
        path = build_page(build.id)
        yield path, _page(site, path, "build.html", build=build, clouds=clouds)
        for each in build.arches:
            yield from _files(site, build, each)


def stream_pages(site: Site) -> Mapping[str, StreamState]:
    """The streams by the paths of their pages; the stream's name is in the path if it is a safe file name."""
    found: dict[str, StreamState] = {}
    for number, each in enumerate(site.streams, 1):
        name = each.stream.stream if _FILE.fullmatch(each.stream.stream) else "stream"
        path = f"streams/{name}.html"
        found[path if path not in found else f"streams/{name}~{number}.html"] = each
    return found


def checksums(build: ArchBuild) -> str:
    """The artifacts' digests in the format of `sha256sum --check`."""
    rows = sorted((each.path, each.sha256) for each in build.state.artifacts if each.path and each.sha256)
    return "".join(f"{sha256}  {path}\n" for path, sha256 in rows if _DIGEST.fullmatch(sha256))


def _files(site: Site, build: ListedBuild, arch: ArchBuild) -> Iterator[tuple[str, bytes]]:
    if sums := checksums(arch):
        yield arch_file(arch.id, arch.arch, SUMS), sums.encode()
    packages = site.packages_of(arch).found
    if packages is not None:
        path = arch_file(arch.id, arch.arch, "packages.html")
        words: dict[str, Any] = {"build": build, "arch": arch, "packages": packages}
        yield path, _page(site, path, "packages.html", scripts=("filter.js",), **words)


def _page(site: Site, path: str, template: str, scripts: tuple[str, ...] = (), **words: Any) -> bytes:  # noqa: ANN401
    context = {
        "site": site,
        "page": path,
        "status": status,
        "checksums": checksums,
        "compare": _query,
        "to": lambda target: href(path, target),
        "to_build": lambda build_id: href(path, build_page(build_id)),
        "to_arch": lambda each, name: href(path, arch_file(each.id, each.arch, name)),
        **words,
    }
    return render(template, context, scripts)


def _query(old: ArchBuild, new: ArchBuild) -> str:
    return diff_query((old.stream_path, old.id), (new.stream_path, new.id), new.arch)


def _formats(places: Sequence[Place]) -> str:
    """The formats of a platform's files; PXE's three files count as one."""
    return ", ".join(dict.fromkeys(each.part.rpartition(" ")[0] for each in places))
