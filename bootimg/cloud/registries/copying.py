"""Images copied to a registry by skopeo, from a folder in which their blobs are links to files."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bootimg import process
from bootimg.atomic import no_space, scratch_folder
from bootimg.cache import Cache
from bootimg.cloud.registries.answers import forbidden
from bootimg.cloud.registries.client import Repository
from bootimg.cloud.registries.manifests import Listed
from bootimg.cloud.retry import TransientError
from bootimg.errors import BootimgError
from bootimg.layer.fetching.skopeofailure import explain
from bootimg.layer.image.fetched import digest_of, hex_of

_DEADLINE = 6 * 60 * 60.0
_PASSING = ("registry-failed", "registry-unreachable", "program-killed")
# A server that fails in the middle of a blob: skopeo 1.9 looks for the header before the status.
# A blob that another push sends at the same moment may not be known yet.
_PASSING_WORDS = re.compile(
    "no location header|broken pipe|server closed|use of closed network|blob unknown|blob upload unknown",
    re.IGNORECASE,
)
Provide = Callable[[Path], None]
"""Makes a file, or a link to one, at a path that does not exist yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A manifest to push, with its blobs by digest, and what a list says of it.

    `attached` are manifests that refer to it.  Without `manifest` only the registry can have it.
    """

    name: str
    listed: Listed
    manifest: bytes | None
    blobs: Mapping[str, Provide] = field(default_factory=dict)
    size: int = 0
    attached: tuple[Pushed, ...] = ()


def link_to(path: Path) -> Provide:
    """A link to a file that exists."""
    return lambda place: place.symlink_to(path.absolute())


def content(data: bytes) -> Provide:
    """A small file."""

    def write(place: Path) -> None:
        place.write_bytes(data)

    return write


def copy_image(pushed: Pushed, repository: Repository, cache: Cache) -> bool:
    """Send a manifest and the blobs that the registry lacks; whether it was missing.

    Nothing is sent if the registry has the manifest.
    """
    digest = pushed.listed.digest
    if repository.has(digest):
        return False
    if pushed.manifest is None:
        raise BootimgError(
            "registry-image-missing",
            f"{repository.name} does not have {pushed.name}, and the build here has no file of it",
            context=[digest],
            hint="get the build with `bootimg builds fetch`, with the artifacts that are pushed",
        )
    facts = {"reference": f"{repository.name}@{digest}", "bytes": pushed.size, "name": pushed.name}
    if repository.means.calls.dry_run:
        repository.write("CopyImage", facts, lambda: None)
        return True
    events, name = repository.means.events, f"push {pushed.name}"
    with events.step(name, f"Pushing {pushed.name}", total=pushed.size) as step:
        with scratch_folder(cache.folder("tmp"), "push-") as folder:
            _lay_out(folder / "image", pushed)
            target = f"{repository.name}@{digest}"
            repository.write("CopyImage", facts, lambda: _skopeo(folder, target, repository))
        step.advance(pushed.size)
    return True


def _lay_out(folder: Path, pushed: Pushed) -> None:
    """A folder as skopeo's `dir:` has it; it keeps manifests byte by byte, OCI's and Docker's."""
    assert pushed.manifest is not None
    assert digest_of(pushed.manifest) == pushed.listed.digest
    folder.mkdir()
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    (folder / "manifest.json").write_bytes(pushed.manifest)
    for digest, provide in pushed.blobs.items():
        provide(folder / hex_of(digest))


def _skopeo(folder: Path, target: str, repository: Repository) -> None:
    stop, deadline = repository.means.stop, time.monotonic() + _DEADLINE
    # The policy of signatures is about foreign images, not about what was built here.
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--remove-signatures",
             *repository.options.arguments("dest-"), f"dir:{folder}/image", f"docker://{target}"]  # fmt: skip

    def look() -> None:
        stop.check()
        if time.monotonic() > deadline:
            raise process.timed_out(words, _DEADLINE)

    done = process.feed(words, (), env={"TMPDIR": str(folder)}, meanwhile=look)
    if done.returncode == 0:
        return
    if b"no space left" in done.stderr:
        raise no_space(folder)
    raise _meaning(explain(done, target), repository)


def _meaning(error: BootimgError, repository: Repository) -> Exception:
    said = next(iter(error.context), error.message)
    passing = error.id in _PASSING or _PASSING_WORDS.search(said) is not None
    if passing and "no such host" not in said:
        return TransientError(said)
    if error.id == "layer-unauthorized":
        found = forbidden(repository.name, "write to")
        found.context = (said,)
        return found
    if error.id in ("layer-read-failed", "layer-not-found"):
        return BootimgError(
            "registry-push-failed",
            f"skopeo could not push to {repository.name}",
            context=[said],
            hint="the same command sends what is missing; -v shows each call",
        )
    return error
