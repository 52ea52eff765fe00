"""Rules for the artifacts of a build: each file exists, has its right name, and matches meta.json."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.builds.compressed import lost_compressor, records_uncompressed, skips_compression
from bootimg.builds.find import Build
from bootimg.builds.index import read_index
from bootimg.builds.layout import META
from bootimg.builds.policy import removed_by_policy
from bootimg.checks.findings import Finding, finding
from bootimg.checks.rules import Rule
from bootimg.checks.sizerules import packed_size_findings
from bootimg.disk.extents import is_zero
from bootimg.errors import BootimgError
from bootimg.events import Events, Step
from bootimg.formats.compression.decompress import PlainReader
from bootimg.formats.output import Written
from bootimg.jobs import Job, Stop, memory_budget, run_jobs
from bootimg.layer.fetching.fetch import inspect
from bootimg.layer.tar.entry import MAX_NAME
from bootimg.sizes import MIB
from bootimg.targets import LAYER_KEY, MANIFEST_KEY, platform_of_key, target_file
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PACKED = (".gz", ".xz", ".zst")
_PLAIN_MEMORY, _PACKED_MEMORY = 8 * MIB, 320 * MIB
"""Bytes for a job: eight chunks wait for their digest, each 256 KiB, or up to 33 MiB for packed zeros."""
Json = Mapping[str, Any]


def artifact_findings(build: Build, events: Events, jobs: int = 1, limits: Limits = DEFAULT) -> list[Finding]:
    """Findings about the artifacts; reads every artifact, `jobs` at a time.

    The findings are in the order of meta.json, regardless of how long each artifact takes.
    """
    images = build.meta.get("images")
    entries = images if isinstance(images, dict) else {}
    found: list[Finding] = []
    usable: dict[str, Json] = {}
    names: set[str] = set()
    for key, entry in entries.items():
        wrong = [*_entry(key, entry, names)]
        found += wrong
        if not any(each.rule in (Rule.META_SCHEMA, Rule.ARTIFACT_PATH) for each in wrong):
            found += [*_name(build, key, entry["path"]), *_format_compressor(key, entry)]
            usable[key] = entry
    removed = removed_by_policy(_index(build), build.id)
    usable = {
        key: entry
        for key, entry in usable.items()
        if not removed.has(key) or (build.path / entry["path"]).exists()
    }
    found += _contents(build, usable, events, jobs, limits)
    if LAYER_KEY in usable:
        found += _archive(build, usable, limits)
    return found


def _index(build: Build) -> dict[str, Any]:
    """builds.json of the build's tree; an empty one if it does not exist or cannot be read."""
    try:
        return read_index(build.path.parent.parent)
    except (BootimgError, OSError):
        # An unreadable builds.json has no information about this build.
        return {"builds": []}


def _contents(
    build: Build, entries: Mapping[str, Json], events: Events, jobs: int, limits: Limits
) -> Iterator[Finding]:
    sizes = {key: _size(build.path / entry["path"]) or 0 for key, entry in entries.items()}
    with events.step("verify", "Reading the artifacts", total=sum(sizes.values())) as step:
        # The largest first: a large one that begins last would run alone at the end.
        order = sorted(entries, key=lambda key: -sizes[key])
        work = [_job(build.path / entries[key]["path"], key, entries[key], step, limits) for key in order]
        results = {each.name: each for each in run_jobs(work, workers=jobs, memory=memory_budget())}
        step.result(f"{len(entries)} artifacts")
    for key in entries:
        if (error := results[key].error) is not None:
            raise error
        yield from results[key].value or ()


def _job(path: Path, key: str, entry: Json, step: Step, limits: Limits) -> Job[list[Finding]]:
    memory = _PACKED_MEMORY if path.suffix in _PACKED else _PLAIN_MEMORY
    return Job(key, lambda stop: [*_content(path, key, entry, _Reading(step, stop, limits))], memory)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads files as part of a step, until `stop` is set."""

    step: Step
    stop: Stop
    limits: Limits = DEFAULT

    def read(self, path: Path, *, packed: bool) -> Written:
        """Sizes and digests of a file; if `packed`, also of its decompressed content.

        `image-over-budget` for content beyond the limits.
        """
        budget = Budget(self.limits)
        if packed:
            budget.pack(path.stat().st_size, str(path))
        with PlainReader(path, plain=not packed) as reader:
            before = 0
            for data in reader:
                self.stop.check()
                if packed:
                    charge = budget.hole if is_zero(data) else budget.unpack
                    charge(len(data), str(path))
                self.step.advance(reader.position - before)
                before = reader.position
            self.step.advance(reader.position - before)
            return reader.written()


def _entry(key: str, entry: object, names: set[str]) -> Iterator[Finding]:
    """Findings about one entry; `names` has the files of the entries before it."""
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
        yield finding(Rule.SIZE_UNSET, where, "no size", "a truncated file is not noticed at once")


def _name(build: Build, key: str, path: str) -> Iterator[Finding]:
    start = f"{build.meta.get('name')}-{build.meta.get('buildid')}-"
    declared = target_file(key)
    for_arch = declared is None or declared.arch_in_name
    if not path.startswith(start) or (for_arch and build.arch.value not in path[len(start) :]):
        message = f"its name must be {start}….{build.arch}…"
        yield finding(Rule.ARTIFACT_NAME, f"artifact {key}", path, message)


def _format_compressor(key: str, entry: Json) -> Iterator[Finding]:
    platform = platform_of_key(key)
    if platform is not None and lost_compressor(platform, entry):
        message = f"{platform.name} needs a {platform.suffix}: `bootimg compress` restores it"
        yield finding(Rule.ARTIFACT_NAME, f"artifact {key}", entry["path"], message)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _content(path: Path, key: str, entry: Json, reading: _Reading) -> Iterator[Finding]:
    where, size = f"artifact {key}", _size(path)
    if size is None:
        yield finding(Rule.ARTIFACT_GONE, where, path.name, "the file does not exist")
        return
    if entry.get("size") not in (None, size):
        message = f"{META} says {entry['size']}"
        yield finding(Rule.ARTIFACT_SIZE, where, f"{size} bytes", message)
    packed = path.suffix in _PACKED and (not skips_compression(entry) or records_uncompressed(entry))
    try:
        written = reading.read(path, packed=packed)
    except OSError as error:
        yield finding(Rule.ARTIFACT_GONE, where, path.name, f"it cannot be read: {error.strerror}")
        return
    except BootimgError as error:
        if error.id != "compressed-file-damaged":
            raise
        yield finding(Rule.UNCOMPRESSED_DIGEST, where, error, "it cannot be decompressed")
        # The digest of the file shows whether it was damaged later or was made damaged.
        written, packed = reading.read(path, packed=False), False
        entry = {name: value for name, value in entry.items() if not name.startswith("uncompressed-")}
    if written.sha256 != entry["sha256"]:
        message = f"{META} says {entry['sha256']}"
        yield finding(Rule.ARTIFACT_DIGEST, where, f"sha256 {written.sha256}", message)
    yield from _uncompressed(where, entry, written)
    yield from packed_size_findings(key, path)


def _uncompressed(where: str, entry: Json, written: Written) -> Iterator[Finding]:
    for key, value in (("uncompressed-sha256", written.uncompressed_sha256),
                       ("uncompressed-size", written.uncompressed_size)):  # fmt: skip
        recorded = entry.get(key)
        if value is None and recorded is not None:
            yield finding(Rule.UNCOMPRESSED_DIGEST, where, f"{key}: {recorded}", "the file is not compressed")
        elif value is not None and recorded is None and key.endswith("sha256"):
            message = "a program that uncompresses it cannot check the result"
            yield finding(Rule.UNCOMPRESSED_DIGEST, where, f"no {key}", message)
        elif value != recorded and recorded is not None:
            yield finding(Rule.UNCOMPRESSED_DIGEST, where, f"{key}: {value}", f"{META} says {recorded}")


def _archive(build: Build, entries: Mapping[str, Json], limits: Limits) -> Iterator[Finding]:
    path = build.path / entries[LAYER_KEY]["path"]
    if path.suffix != ".ociarchive" or not path.is_file():
        return
    where = f"artifact {LAYER_KEY}"
    try:
        image = inspect(str(path.absolute()), build.arch, limits=limits)
    except BootimgError as error:
        if error.id == "image-over-budget":
            raise
        yield finding(Rule.ARCHIVE_IMAGE, where, error, "it is not an archive of a layer")
        return
    wanted = entries.get(MANIFEST_KEY, {}).get("sha256")
    if wanted is not None and image.digest != f"sha256:{wanted}":
        message = f"the recorded manifest ({MANIFEST_KEY}) is sha256:{wanted}"
        yield finding(Rule.ARCHIVE_IMAGE, where, image.digest, message)
    if image.version != build.meta.get("ostree-version"):
        message = f"ostree-version is {build.meta.get('ostree-version')}"
        yield finding(Rule.ARCHIVE_IMAGE, where, f"version {image.version}", message)
