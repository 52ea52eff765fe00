"""The artifacts of a build: that they are there, under their names, with the content that meta.json says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bootimg.builds.find import Build
from bootimg.builds.layout import META
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.errors import BootimgError
from bootimg.events import Events, Step
from bootimg.formats.decompress import PlainReader
from bootimg.formats.written import Written
from bootimg.layer.entry import MAX_NAME
from bootimg.layer.fetch import inspect
from bootimg.targets import LAYER_KEY, MANIFEST_KEY, target_file

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PACKED = (".gz", ".xz", ".zst")
Json = Mapping[str, Any]


def artifact_findings(build: Build, events: Events) -> list[Finding]:
    """What is wrong with the artifacts; every one of them is read."""
    images = build.meta.get("images")
    entries = images if isinstance(images, dict) else {}
    found: list[Finding] = []
    usable: dict[str, Json] = {}
    names: set[str] = set()
    for key, entry in entries.items():
        wrong = [*_entry(key, entry, names)]
        found += wrong
        if not any(each.rule in (Rule.META_SCHEMA, Rule.ARTIFACT_PATH) for each in wrong):
            found += _name(build, key, entry["path"])
            usable[key] = entry
    total = sum(_size(build.path / entry["path"]) or 0 for entry in usable.values())
    with events.step("verify", "Reading the artifacts", total=total) as step:
        for key, entry in usable.items():
            found += _content(build.path / entry["path"], key, entry, step)
        step.result(f"{len(usable)} artifacts")
    if LAYER_KEY in usable:
        found += _archive(build, usable)
    return found


def _entry(key: str, entry: object, names: set[str]) -> Iterator[Finding]:
    """Whether an entry can be used; `names` are the files of those before it."""
    where = f"{META}, images, {key}"
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        yield finding(Rule.META_SCHEMA, where, repr(entry), "an artifact has a path")
        return
    path, sha256 = entry["path"], entry.get("sha256")
    if not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256):
        yield finding(Rule.META_SCHEMA, where, f"sha256: {sha256!r}", "an artifact has a SHA-256")
    if path in ("", ".", "..") or len(path.encode(errors="surrogatepass")) > MAX_NAME or {*"/\0"} & {*path}:
        yield finding(Rule.ARTIFACT_PATH, where, path, "it is not the name of a file in the build's folder")
    if path in names:
        yield finding(Rule.ARTIFACT_PATH, where, path, "it is another artifact's file")
    names.add(path)
    if "size" not in entry:
        yield finding(Rule.SIZE_UNSET, where, "no size", "a file that is cut off is not noticed at once")


def _name(build: Build, key: str, path: str) -> Iterator[Finding]:
    start = f"{build.meta.get('name')}-{build.meta.get('buildid')}-"
    declared = target_file(key)
    for_arch = declared is None or declared.arch_in_name
    if not path.startswith(start) or (for_arch and build.arch.value not in path[len(start) :]):
        message = f"it is to be called {start}….{build.arch}…"
        yield finding(Rule.ARTIFACT_NAME, f"artifact {key}", path, message)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _content(path: Path, key: str, entry: Json, step: Step) -> Iterator[Finding]:
    where, size = f"artifact {key}", _size(path)
    if size is None:
        yield finding(Rule.ARTIFACT_GONE, where, path.name, "the file is not there")
        return
    if entry.get("size") not in (None, size):
        message = f"{META} says {entry['size']}"
        yield finding(Rule.ARTIFACT_SIZE, where, f"{size} bytes", message)
    packed = path.suffix in _PACKED and not entry.get("skip-compression")
    try:
        written = _read(path, step, packed=packed)
    except OSError as error:
        yield finding(Rule.ARTIFACT_GONE, where, path.name, f"it cannot be read: {error.strerror}")
        return
    except BootimgError as error:
        if error.id != "compressed-file-damaged":
            raise
        yield finding(Rule.UNCOMPRESSED_DIGEST, where, error, "it cannot be decompressed")
        # Its own digest tells whether it was damaged here or made so.
        written, packed = _read(path, step, packed=False), False
        entry = {name: value for name, value in entry.items() if not name.startswith("uncompressed-")}
    if written.sha256 != entry["sha256"]:
        message = f"{META} says {entry['sha256']}"
        yield finding(Rule.ARTIFACT_DIGEST, where, f"sha256 {written.sha256}", message)
    yield from _uncompressed(where, entry, written)


def _read(path: Path, step: Step, *, packed: bool) -> Written:
    with PlainReader(path, plain=not packed) as reader:
        before = 0
        for _ in reader:
            step.advance(reader.position - before)
            before = reader.position
        step.advance(reader.position - before)
        return reader.written()


def _uncompressed(where: str, entry: Json, written: Written) -> Iterator[Finding]:
    for key, value in (("uncompressed-sha256", written.uncompressed_sha256),
                       ("uncompressed-size", written.uncompressed_size)):  # fmt: skip
        said = entry.get(key)
        if value is None and said is not None:
            yield finding(Rule.UNCOMPRESSED_DIGEST, where, f"{key}: {said}", "the file is not compressed")
        elif value is not None and said is None and key.endswith("sha256"):
            message = "whoever uncompresses it cannot check the result"
            yield finding(Rule.UNCOMPRESSED_DIGEST, where, f"no {key}", message)
        elif value != said and said is not None:
            yield finding(Rule.UNCOMPRESSED_DIGEST, where, f"{key}: {value}", f"{META} says {said}")


def _archive(build: Build, entries: Mapping[str, Json]) -> Iterator[Finding]:
    path = build.path / entries[LAYER_KEY]["path"]
    if path.suffix != ".ociarchive" or not path.is_file():
        return
    where = f"artifact {LAYER_KEY}"
    try:
        image = inspect(str(path.absolute()), build.arch)
    except BootimgError as error:
        yield finding(Rule.ARCHIVE_IMAGE, where, error, "it is no archive of a layer")
        return
    wanted = entries.get(MANIFEST_KEY, {}).get("sha256")
    if wanted is not None and image.digest != f"sha256:{wanted}":
        message = f"the recorded manifest ({MANIFEST_KEY}) is sha256:{wanted}"
        yield finding(Rule.ARCHIVE_IMAGE, where, image.digest, message)
    if image.version != build.meta.get("ostree-version"):
        message = f"ostree-version is {build.meta.get('ostree-version')}"
        yield finding(Rule.ARCHIVE_IMAGE, where, f"version {image.version}", message)
