"""The paths of the site's pages and the links to artifacts.  Names are untrusted, so each is quoted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bootimg.browse.tree import ArchBuild
from bootimg.builds.layout import SIGNATURE
from bootimg.builds.state import ArtifactState, FileState
from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.metadata.download import is_http
from bootimg.urls import joined, quoted

INDEX, DIFF = "index.html", "diff.html"
SUMS = "SHA256SUMS"


def build_page(build_id: str) -> str:
    """The path of a build's page in the site."""
    return f"builds/{build_id}/index.html"


def arch_file(build_id: str, arch: str, name: str) -> str:
    """The path of a file about a build of one architecture."""
    return f"arches/{build_id}/{arch}/{name}"


def href(page: str, target: str) -> str:
    """A relative link from one path in the site to another."""
    return "../" * page.count("/") + quoted(target)


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The location of artifacts: below `url`, or in `tree`, the relative URL from the site to the builds."""

    url: str | None = None
    tree: str | None = None

    def href(self, page: str, build: ArchBuild, artifact: ArtifactState) -> str | None:
        """The link to an artifact from a page; None if the artifact is not available."""
        if artifact.path is None or artifact.state is FileState.REMOVED:
            return None
        if artifact.state is FileState.ABSENT and self.url is None:
            return None
        path = f"{build.id}/{build.arch}/{artifact.path}"
        if self.url is not None:
            return joined(self.url, path)
        return joined(f"{'../' * page.count('/')}{self.tree}", path) if self.tree is not None else None

    def signature(self, page: str, build: ArchBuild, artifact: ArtifactState) -> str | None:
        """The link to an artifact's signature, if it has one."""
        found = self.href(page, build, artifact)
        return f"{found}{SIGNATURE}" if found and artifact.signed else None


def artifacts_of(builds: Path, site: Path, url: str | None) -> Artifacts:
    """Artifacts below `url`; without one, in the tree if that is beside or around the site.

    `site-url-invalid` unless it is a URL of http or https.
    """
    if url is not None:
        return Artifacts(url=_checked(url))
    tree, folder = builds.resolve(), site.resolve()
    linkable = tree.parent == folder.parent or tree in folder.parents
    return Artifacts(tree=quoted(os.path.relpath(tree, folder)) if linkable else None)


def _checked(url: str) -> str:
    if not is_http(url) or "?" in url or "#" in url:
        raise BootimgError(
            "site-url-invalid",
            f"{url!r:.200} is not a URL of http or https for a folder of builds",
            hint="use the URL of the folder of builds.json, such as"
            " https://rhcos.mirror.openshift.com/art/storage/prod/streams/rhel-9.6/builds",
            exit_code=ExitCode.USAGE,
        )
    return url.rstrip("/")
